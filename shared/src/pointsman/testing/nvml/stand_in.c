/* A stand-in for libnvidia-ml.so.1: the part of NVML's ABI that the resource monitor asks for, over
 * GPUs that a text file describes. It drives no hardware.
 *
 * The file that NVML_STAND_IN names is read again at each question, so that it can change meanwhile:
 *
 *   driver RC                    what nvmlInit gives (0 is well)
 *   count RC                     what counting gives
 *   hang 0|1                     while 1, questions wait
 *   gpu UUID RC UTIL USED_MIB TOTAL_MIB CELSIUS MILLIWATTS POWER_RC
 *
 * RC of a gpu is given by every question about it. Its handle stays that of its UUID, however the
 * lines move. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_GPUS 16
#define UUID_CHARS 64
#define MIB (1024ull * 1024ull)

enum {
    OK = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_FOUND = 6,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    VERSION_MISMATCH = 18,
    UNKNOWN = 999
};

typedef struct {
    char uuid[UUID_CHARS];
    int rc, power_rc;
    unsigned util, celsius, milliwatts;
    unsigned long long used_mib, total_mib;
} Gpu;

typedef struct {
    int driver_rc, count_rc, hang, count;
    Gpu gpus[MOST_GPUS];
} Machine;

/* A handle is a place in this list. */
static char seen[MOST_GPUS][UUID_CHARS];
static int initialised;

static int read_machine(Machine *machine) {
    const char *path = getenv("NVML_STAND_IN");
    char line[256];
    FILE *file = path ? fopen(path, "r") : NULL;
    memset(machine, 0, sizeof *machine);
    if (!file) return UNKNOWN;
    while (fgets(line, sizeof line, file)) {
        Gpu *gpu = &machine->gpus[machine->count];
        sscanf(line, "driver %d", &machine->driver_rc);
        sscanf(line, "count %d", &machine->count_rc);
        sscanf(line, "hang %d", &machine->hang);
        if (machine->count < MOST_GPUS &&
            sscanf(line, "gpu %63s %d %u %llu %llu %u %u %d", gpu->uuid, &gpu->rc, &gpu->util,
                   &gpu->used_mib, &gpu->total_mib, &gpu->celsius, &gpu->milliwatts,
                   &gpu->power_rc) == 8)
            machine->count++;
    }
    fclose(file);
    return OK;
}

static int asked(Machine *machine) {
    int rc = read_machine(machine);
    while (rc == OK && machine->hang) {
        usleep(10000);
        rc = read_machine(machine);
    }
    return rc;
}

static int gpu_of(void *handle, Gpu *found) {
    Machine machine;
    int rc = asked(&machine);
    if (rc != OK) return rc;
    for (int i = 0; i < machine.count; i++)
        if (handle && strcmp(machine.gpus[i].uuid, (char *)handle) == 0) {
            *found = machine.gpus[i];
            return found->rc;
        }
    return GPU_IS_LOST;
}

int nvmlInitWithFlags(unsigned flags) {
    Machine machine;
    int rc = asked(&machine);
    (void)flags;
    if (rc == OK) rc = machine.driver_rc;
    initialised = rc == OK;
    return rc;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) {
    initialised = 0;
    return OK;
}

const char *nvmlErrorString(int rc) {
    switch (rc) {
        case OK: return "Success";
        case UNINITIALIZED: return "Uninitialized";
        case NOT_FOUND: return "Not Found";
        case DRIVER_NOT_LOADED: return "Driver Not Loaded";
        case GPU_IS_LOST: return "GPU is lost";
        case VERSION_MISMATCH: return "Driver/library version mismatch";
        default: return "Unknown Error";
    }
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    Machine machine;
    int rc = asked(&machine);
    if (rc != OK) return rc;
    if (!initialised) return UNINITIALIZED;
    *count = (unsigned)machine.count;
    return machine.count_rc;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    Machine machine;
    int rc = asked(&machine);
    if (rc != OK) return rc;
    if (index >= (unsigned)machine.count) return INVALID_ARGUMENT;
    for (int i = 0; i < MOST_GPUS; i++) {
        if (!seen[i][0]) memcpy(seen[i], machine.gpus[index].uuid, UUID_CHARS);
        if (strcmp(seen[i], machine.gpus[index].uuid) == 0) {
            *handle = seen[i];
            return machine.gpus[index].rc;
        }
    }
    return UNKNOWN;
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned length) {
    Gpu gpu = {0};
    int rc = gpu_of(handle, &gpu);
    if (rc == OK) snprintf(uuid, length, "%s", gpu.uuid);
    return rc;
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned rates[2]) {
    Gpu gpu = {0};
    int rc = gpu_of(handle, &gpu);
    rates[0] = gpu.util, rates[1] = 0;
    return rc;
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long bytes[3]) {
    Gpu gpu = {0};
    int rc = gpu_of(handle, &gpu);
    bytes[0] = gpu.total_mib * MIB;
    bytes[1] = (gpu.total_mib - gpu.used_mib) * MIB;
    bytes[2] = gpu.used_mib * MIB;
    return rc;
}

int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *celsius) {
    Gpu gpu = {0};
    int rc = gpu_of(handle, &gpu);
    (void)sensor;
    *celsius = gpu.celsius;
    return rc;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) {
    Gpu gpu = {0};
    int rc = gpu_of(handle, &gpu);
    *milliwatts = gpu.milliwatts;
    return rc == OK ? gpu.power_rc : rc;
}
