#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "cpu/access.hpp"
#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

/// The page of memory behind a linear page.
struct PageHandle {
    std::byte* host = nullptr;  ///< its bytes, which may be accessed as asked; null: through GuestMemory
    Hpa frame;
};

/// Translates the page of a linear address through TLB and tables. A write is announced to memory. #PF, with
/// Cpu::fault_address set; intercepted() if a second stage refuses.
Expected<PageHandle> translate_page(Cpu& cpu, std::uint64_t linear, mmu::Access access, Accessor accessor);
/// The same for the program's fetch of instructions.
Expected<PageHandle> translate_fetch(Cpu& cpu, std::uint64_t linear);

/// The translation without any effect, as a debugger sees it: nothing if the address is not mapped.
std::optional<Hpa> probe(Cpu& cpu, std::uint64_t linear);

}  // namespace hyperstep::cpu
