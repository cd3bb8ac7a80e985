/* What the program needs of CANN for itself, found at run time: memory, a stream, copies. */
#ifndef ASCEND_VALIDATE_DEVICE_H
#define ASCEND_VALIDATE_DEVICE_H

#include <stddef.h>
#include <stdint.h>

/* 0 if a device is current and has a stream, else 1 with the reason printed. */
int device_open(void);
void device_close(void);
void *device_stream(void);

/* Each ends the program with a message if CANN fails. NULL for no bytes. */
void *device_new(size_t bytes);
void device_free(void *address);
void device_upload(void *to, const void *from, size_t bytes);
void device_download(void *to, const void *from, size_t bytes);
void device_synchronise(void);

/* A function of CANN's libraries, to be cast to its type, or NULL. */
typedef void (*device_function)(void);
device_function device_symbol(const char *name);
/* What CANN says of its last error. */
const char *device_message(void);

#endif
