// Covers: machine/multiboot.cpp machine/boot.cpp
// Rooms: machine
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "machine/boot.hpp"
#include "mmu/guest_memory.hpp"

namespace {
void require(bool holds) {
    if (!holds) std::abort();
}
}  // namespace

// Whatever the bytes are: a plan's pieces lie in RAM and do not overlap, and loading them succeeds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hyperstep;
    using namespace hyperstep::machine;
    static const MemoryMap map = MemoryMap::of(16ULL << 20).value();
    const auto file = std::as_bytes(std::span{data, size});
    BootRequest request{.image = file, .image_name = "i", .command_line = "a b", .modules = {}, .flat = {}};
    if (size % 2 == 1) request.modules.push_back({file, "module"});
    const auto plan = plan_boot(request, map);
    if (!plan) {
        require(!plan.error().sentence().empty());
        return 0;
    }
    mmu::GuestMemory memory;
    require(memory.add_ram(Hpa{0}, MemoryMap::low_end).has_value());
    require(memory.add_ram(Hpa{MemoryMap::high}, map.below_4g - MemoryMap::high).has_value());
    for (const LoadPiece& piece : plan->pieces) {
        require(piece.bytes.size() <= piece.memory_bytes);
        require(piece.physical + piece.memory_bytes <= map.usable_end());
        require(memory.write_bytes(Hpa{piece.physical}, piece.bytes));
        for (const LoadPiece& other : plan->pieces)
            require(&other == &piece || other.physical + other.memory_bytes <= piece.physical ||
                    piece.physical + piece.memory_bytes <= other.physical);
    }
    cpu::State state = cpu::state_after_reset(0);
    enter(*plan, state);
    return 0;
}
