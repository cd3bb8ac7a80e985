//! The benchmark cases: `cases.json`, which `peers.py` reads too.

use serde::Deserialize;

/// One problem. Padding is the same on opposite sides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// N, C, H, W.
    pub x: [i64; 4],
    pub out_channels: i64,
    #[serde(default = "three")]
    pub kernel: [i64; 2],
    #[serde(default = "one")]
    pub stride: [i64; 2],
    #[serde(default = "one")]
    pub padding: [i64; 2],
    #[serde(default = "one")]
    pub dilation: [i64; 2],
    #[serde(default = "undivided")]
    pub groups: i64,
    #[serde(default = "undivided")]
    pub deformable_groups: i64,
}

fn three() -> [i64; 2] {
    [3, 3]
}

fn one() -> [i64; 2] {
    [1, 1]
}

fn undivided() -> i64 {
    1
}

impl Case {
    pub fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("../cases.json")).expect("cases.json describes cases")
    }

    pub fn out_size(&self) -> [i64; 2] {
        [0, 1].map(|i| {
            let reach = self.dilation[i] * (self.kernel[i] - 1) + 1;
            (self.x[2 + i] + 2 * self.padding[i] - reach) / self.stride[i] + 1
        })
    }

    pub fn offset(&self) -> [i64; 4] {
        let [n, samples, ho, wo] = self.mask();
        [n, 2 * samples, ho, wo]
    }

    pub fn mask(&self) -> [i64; 4] {
        let [ho, wo] = self.out_size();
        [self.x[0], self.deformable_groups * self.kernel[0] * self.kernel[1], ho, wo]
    }

    pub fn weight(&self) -> [i64; 4] {
        [self.out_channels, self.x[1] / self.groups, self.kernel[0], self.kernel[1]]
    }

    pub fn y(&self) -> [i64; 4] {
        let [ho, wo] = self.out_size();
        [self.x[0], self.out_channels, ho, wo]
    }
}
