/* A fuzzer that looks for VM-entry states: each input is a list of (field number, value) changes to a valid state.
 * It stops on a state that breaks a rule of the guest-state area and nothing before it: replace found() by what your
 * hypervisor does with such a state, and compare.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address fuzz_entry.c $(pkg-config --cflags --libs hyperstep-rules) -o fuzz_entry
 *   ./fuzz_entry -runs=100000
 */
#include <hyperstep/rules.h>
#include <stdint.h>
#include <string.h>

static const uint32_t fields[] = {0x6800, 0x6804, 0x6820, 0x4824, 0x4826, 0x4016, 0x4818, 0x4816, 0x6822, 0x681e};

static unsigned long found_count;
static void found(const struct hs_result* result) { found_count += result->outcome == HS_ENTRY_FAILURE; }

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    hs_state* state = hs_state_preset("long-mode");
    while (state != NULL && size >= 9) {
        uint64_t value;
        memcpy(&value, data + 1, sizeof value);
        hs_set_field(state, fields[data[0] % (sizeof fields / sizeof fields[0])], value);
        data += 9;
        size -= 9;
    }
    if (state == NULL) return 0;
    const struct hs_result result = hs_first_broken(state);
    found(&result);
    hs_state_free(state);
    return 0;
}
