#pragma once
#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace hyperstep::devices {

/// How many bytes one access to I/O ports moves.
enum class IoWidth : std::uint8_t { byte = 1, word = 2, dword = 4 };

constexpr unsigned bytes_of(IoWidth width) {
    return static_cast<unsigned>(width);
}
/// The low bytes of a 32-bit word that an access of this width moves.
constexpr std::uint32_t mask_of(IoWidth width) {
    return width == IoWidth::dword ? ~0U : (1U << (bytes_of(width) * 8)) - 1;
}

/// Ports first .. first + count - 1.
struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t count = 0;
};

/// A device on the I/O bus. It sees the numbers of its own registers (offsets), never ports and never a
/// processor: the effects that it may have are given to its constructor.
class PortDevice {
public:
    PortDevice() = default;
    PortDevice(const PortDevice&) = delete;
    PortDevice& operator=(const PortDevice&) = delete;
    virtual ~PortDevice() = default;
    virtual std::string_view name() const = 0;
    /// Whether the device answers an access of this width at this register as one cycle. The bus splits
    /// every other access into bytes, as a PC does for 8-bit devices; a byte is always taken.
    virtual bool takes(std::uint16_t offset, IoWidth width) const;
    /// A value has the bits beyond its width zero.
    virtual std::uint32_t read(std::uint16_t offset, IoWidth width) = 0;
    virtual void write(std::uint16_t offset, IoWidth width, std::uint32_t value) = 0;
};

/// Why ports cannot be given to a device.
enum class PortError : std::uint8_t {
    overlap,  ///< a port of the range belongs to a device already
    empty,    ///< of no ports
    beyond    ///< ends beyond port 0xffff
};
std::string_view to_string(PortError error);

/// The 65536 I/O ports: who answers at which.
class PortBus {
public:
    /// The ports of `range` are the registers `offset`, `offset` + 1 ... of `device`, which outlives the bus.
    tl::expected<void, PortError> attach(PortRange range, PortDevice& device, std::uint16_t offset = 0);

    /// An IN. Ports of no device read as ones. An access that runs beyond port 0xffff goes on at port 0.
    std::uint32_t read(std::uint16_t port, IoWidth width);
    /// An OUT. Ports of no device ignore it.
    void write(std::uint16_t port, IoWidth width, std::uint32_t value);
    /// Who answers at `port`; nullptr: nobody.
    PortDevice* device_at(std::uint16_t port) const;

private:
    struct Claim {
        PortRange range;
        PortDevice* device = nullptr;
        std::uint16_t offset = 0;
    };
    const Claim* find(std::uint16_t port) const;
    /// The claim whose device takes this access as one cycle; nullptr: it is to be split.
    const Claim* whole(std::uint16_t port, IoWidth width) const;
    std::vector<Claim> claims_;  ///< in order of ports
};

/// The registers of a device in physical memory. `offset` counts from the device's first byte; `bytes` is 1,
/// 2, 4 or 8, and the access lies within size(). A value has its high bytes zero.
class MemoryDevice {
public:
    MemoryDevice() = default;
    MemoryDevice(const MemoryDevice&) = delete;
    MemoryDevice& operator=(const MemoryDevice&) = delete;
    virtual ~MemoryDevice() = default;
    virtual std::string_view name() const = 0;
    /// Bytes of address space, a multiple of 4 KiB.
    virtual std::uint64_t size() const = 0;
    virtual std::uint64_t read(std::uint64_t offset, unsigned bytes) = 0;
    virtual void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) = 0;
};

}  // namespace hyperstep::devices
