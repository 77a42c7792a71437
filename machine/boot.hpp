#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu/state.hpp"
#include "machine/image_problem.hpp"
#include "machine/memory_map.hpp"
#include "mmu/guest_memory.hpp"

// From the files of a command line to memory and registers.
//
// What an image is, and how it is entered:
//   a multiboot 1 header in the first 8 KiB   as multiboot says: 32-bit protected mode, EAX = 0x2badb002
//   ELF64 without one                         64-bit mode, the first 4 GiB mapped to themselves, IF = 0
//   ELF32 without one                         32-bit protected mode, flat segments, paging off, IF = 0
//   512 bytes that end with 55 AA             a boot sector: real mode at 0000:7C00, DL = 80H
//   anything else                             only if the user says that it is flat
namespace hyperstep::machine {

enum class EntryMode : std::uint8_t { real, protected_32, long_64 };

/// What the user says of an image that says nothing of itself.
struct FlatImage {
    std::uint64_t address = 0x7c00;      ///< physical, of its first byte
    std::optional<std::uint64_t> entry;  ///< physical; its first byte if absent
    EntryMode mode = EntryMode::real;
};

struct ModuleFile {
    std::span<const std::byte> bytes;
    std::string command_line;
};

struct BootRequest {
    std::span<const std::byte> image;
    std::string image_name;  ///< the first word of the multiboot command line, as test suites expect
    std::string command_line;
    std::vector<ModuleFile> modules;
    std::optional<FlatImage> flat;
};

/// Bytes for memory, and zeros behind them up to `memory_bytes`.
struct LoadPiece {
    std::string name;
    std::uint64_t physical = 0;
    std::span<const std::byte> bytes;
    std::uint64_t memory_bytes = 0;
};

/// Everything that is to be done for a boot. The pieces lie in RAM and do not overlap.
struct BootPlan {
    static constexpr std::uint64_t most_modules = 1024;
    static constexpr std::uint64_t longest_command_line = 64 << 10;

    std::vector<LoadPiece> pieces;
    EntryMode mode = EntryMode::protected_32;
    std::uint64_t entry = 0;
    std::uint64_t page_tables = 0;  ///< physical, of long_64
    std::uint32_t eax = 0, ebx = 0;
    std::string format;  ///< "multiboot (ELF)", for people
    /// Where the blocks lie that are of the loader's own making; the pieces point here.
    std::vector<std::vector<std::uint8_t>> made;
};

/// Decides what goes where. The spans of `request` must outlive the plan.
ImageExpected<BootPlan> plan_boot(const BootRequest& request, const MemoryMap& memory);

/// Copies the pieces. The memory is that of the map the plan was made for, and still zero.
void load(const BootPlan& plan, mmu::GuestMemory& memory);
/// Gives the bootstrap processor the state that the plan's mode asks for, as firmware and a boot loader leave
/// it. Its caches are enabled.
void enter(const BootPlan& plan, cpu::State& state);

}  // namespace hyperstep::machine
