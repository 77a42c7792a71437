#include "tests/guests/runtime/guest.hpp"

namespace guest {
namespace {
constexpr u16 serial = 0x3f8;  // 16550

struct MultibootInformation {
    u32 flags, mem_lower, mem_upper, boot_device, command_line;
};
}  // namespace

extern "C" MultibootInformation* multiboot_information;

void start_serial() {
    out8(serial + 1, 0);     // no interrupts
    out8(serial + 3, 0x80);  // DLAB
    out8(serial + 0, 1);     // 115200 baud
    out8(serial + 1, 0);
    out8(serial + 3, 3);  // 8 bits, no parity
    out8(serial + 2, 0);
    out8(serial + 4, 3);
}

void put(char c) {
    while ((in8(serial + 5) & 0x20) == 0) {
    }
    out8(serial, static_cast<u8>(c));
}

void put(const char* text) {
    for (; *text != '\0'; ++text) {
        put(*text);
    }
}

void put(Hex number) {
    put("0x");
    int shift = 60;
    while (shift > 0 && (number.value >> shift) == 0) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[(number.value >> shift) & 15]);
    }
}

void put(u64 number) {
    // Without division: a 32-bit guest has no library for 64-bit division.
    static const u64 powers[] = {10000000000000000000ULL,
                                 1000000000000000000ULL,
                                 100000000000000000ULL,
                                 10000000000000000ULL,
                                 1000000000000000ULL,
                                 100000000000000ULL,
                                 10000000000000ULL,
                                 1000000000000ULL,
                                 100000000000ULL,
                                 10000000000ULL,
                                 1000000000ULL,
                                 100000000ULL,
                                 10000000ULL,
                                 1000000ULL,
                                 100000ULL,
                                 10000ULL,
                                 1000ULL,
                                 100ULL,
                                 10ULL,
                                 1ULL};
    bool started = false;
    for (const u64 power : powers) {
        int digit = 0;
        for (; number >= power; number -= power) {
            ++digit;
        }
        started = started || digit != 0 || power == 1;
        if (started) {
            put(static_cast<char>('0' + digit));
        }
    }
}

void exit(u32 code) {
    while ((in8(serial + 5) & 0x40) == 0) {  // the last byte is on the line, not only taken
    }
    out32(0xf4, code);
    for (const char* c = "Shutdown"; *c != '\0'; ++c) {
        out8(0x8900, static_cast<u8>(*c));
    }
    for (;;) {
        asm volatile("cli; hlt");
    }
}

u64 argument(const char* name, u64 otherwise) {
    if (multiboot_information == nullptr || (multiboot_information->flags & 4) == 0) {
        return otherwise;
    }
    const char* at = reinterpret_cast<const char*>(static_cast<uptr>(multiboot_information->command_line));
    while (*at != '\0') {
        const char* wanted = name;
        for (; *wanted != '\0' && *at == *wanted; ++wanted) {
            ++at;
        }
        if (*wanted == '\0' && *at == '=') {
            u64 value = 0;
            for (++at; *at >= '0' && *at <= '9'; ++at) {
                value = value * 10 + static_cast<u64>(*at - '0');
            }
            return value;
        }
        while (*at != '\0' && *at != ' ') {
            ++at;
        }
        while (*at == ' ') {
            ++at;
        }
    }
    return otherwise;
}

void finish(const char* name, u64 found, u64 expected) {
    if (found == expected) {
        print(name, ": ok ", Hex{found}, "\n");
        exit(0);
    }
    print(name, ": FAIL ", Hex{found}, " instead of ", Hex{expected}, "\n");
    exit(1);
}
}  // namespace guest
