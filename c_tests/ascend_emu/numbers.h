// half and bfloat16_t: storage with conversions that round to nearest even and overflow to infinity.
#ifndef DCN_EMU_NUMBERS_H
#define DCN_EMU_NUMBERS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace emu {

inline uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float float_of(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint16_t half_bits(float value) {
    const uint16_t sign = static_cast<uint16_t>(bits_of(value) >> 16 & 0x8000);
    if (std::isnan(value)) return sign | 0x7e00;
    const float magnitude = std::fabs(value);
    if (magnitude == 0) return sign;
    if (magnitude >= 65520.0f) return sign | 0x7c00;
    int exponent = 0;
    std::frexp(magnitude, &exponent);
    // The spacing of halves at this magnitude; subnormals share the smallest one.
    const int spacing = std::max(exponent - 11, -24);
    const float steps = std::nearbyint(std::ldexp(magnitude, -spacing));
    if (spacing == -24 && steps < 1024.0f) return sign | static_cast<uint16_t>(steps);
    const int biased = spacing + 25; // steps in 1024..2048; 2048 carries into the exponent
    return sign | static_cast<uint16_t>((biased << 10) + (static_cast<int>(steps) - 1024));
}

inline float half_value(uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    const float sign = bits & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31) return fraction ? std::nanf("") : sign * HUGE_VALF;
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
    return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

inline uint16_t bfloat_bits(float value) {
    const uint32_t bits = bits_of(value);
    if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

} // namespace emu

struct half {
    uint16_t bits;
};

struct bfloat16_t {
    uint16_t bits;
};

namespace emu {

template <typename T> float widen(T value) {
    if constexpr (std::is_same_v<T, half>) return half_value(value.bits);
    else if constexpr (std::is_same_v<T, bfloat16_t>) return float_of(static_cast<uint32_t>(value.bits) << 16);
    else return static_cast<float>(value);
}

template <typename T> T narrow(float value) {
    if constexpr (std::is_same_v<T, half>) return half{half_bits(value)};
    else if constexpr (std::is_same_v<T, bfloat16_t>) return bfloat16_t{bfloat_bits(value)};
    else return static_cast<T>(value);
}

} // namespace emu

#endif
