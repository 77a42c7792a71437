#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/trace.hpp"
#include "devices/bus.hpp"
#include "machine/processor.hpp"
#include "mmu/guest_memory.hpp"

// Registers of devices in physical memory: from mmu's interface to that of the devices.
namespace hyperstep::machine {

/// Who runs. Null while no guest code does.
class BatonHolder {
public:
    Processor* processor = nullptr;
};

/// The registers of one device at one place.
class DeviceWindow final : public mmu::MmioRegion {
public:
    DeviceWindow(devices::MemoryDevice& device,
                 std::uint64_t first,
                 const BatonHolder& baton,
                 const Timeline& time,
                 Trace trace)
        : device_{device}, first_{first}, baton_{baton}, time_{time}, trace_{trace} {}
    std::uint64_t read(std::uint64_t offset, unsigned bytes) override;
    void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) override;

private:
    devices::MemoryDevice& device_;
    std::uint64_t first_;
    const BatonHolder& baton_;
    const Timeline& time_;
    Trace trace_;
};

/// A page at which some processors have their local APICs. An access reaches the APIC of the processor that
/// makes it; for a processor whose APIC is not here the page is a hole.
class ApicWindow final : public mmu::MmioRegion {
public:
    ApicWindow(std::uint64_t first, const BatonHolder& baton, const Timeline& time, Trace trace)
        : first_{first}, baton_{baton}, time_{time}, trace_{trace} {}
    std::uint64_t first() const { return first_; }
    std::uint64_t read(std::uint64_t offset, unsigned bytes) override;
    void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) override;

private:
    /// The APIC that answers; null: none.
    devices::LocalApic* answering() const;

    std::uint64_t first_;
    const BatonHolder& baton_;
    const Timeline& time_;
    Trace trace_;
};

}  // namespace hyperstep::machine
