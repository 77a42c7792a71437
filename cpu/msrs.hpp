#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "cpu/cpu.hpp"
#include "cpu/fault.hpp"

// The model-specific registers: cpu/msrs.def.
namespace hyperstep::cpu {

/// What RDMSR gives. #GP(0): the register does not exist.
Expected<std::uint64_t> read_msr(Cpu& cpu, std::uint32_t index);
/// What WRMSR does. #GP(0), and nothing changed: the register does not exist, is read-only, or does not take
/// the value.
Outcome write_msr(Cpu& cpu, std::uint32_t index, std::uint64_t value);

/// The time-stamp counter: virtual time plus what software added, as a hypervisor lets it be seen.
std::uint64_t read_time_stamp_counter(Cpu& cpu);

struct MsrName {
    std::uint32_t index = 0;
    std::string_view name;
    Feature feature = Feature::always;
};
/// Every register of cpu/msrs.def in order of index.
std::span<const MsrName> msr_names();

}  // namespace hyperstep::cpu
