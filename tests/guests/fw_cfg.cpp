// QEMU's firmware configuration device: signature, number of processors, memory size. Bochs has none.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

namespace {
constexpr u16 selector = 0x510, data = 0x511;

u64 item(u16 key, u32 bytes) {
    out16(selector, key);
    u64 value = 0;
    for (u32 i = 0; i < bytes; ++i) {
        value |= u64{in8(data)} << (i * 8);
    }
    return value;
}
}  // namespace

void guest_main() {
    print("signature ", Hex{item(0, 4)}, "\n");
    print("processors ", item(5, 2), ", at most ", item(0x0f, 2), "\n");
    print("memory ", Hex{item(3, 8)}, ", beyond the item ", Hex{in8(data)}, "\n");
    print("an item that is none ", Hex{item(0x3fff, 2)}, "\n");
    const u64 first = item(0, 2);  // a partial read goes on where it was
    u64 rest = in8(data);
    rest |= static_cast<u64>(in8(data)) << 8;
    print("the signature in two pieces ", Hex{first}, " ", Hex{rest}, "\n");
    print("fw_cfg: ok\n");
    exit(0);
}
