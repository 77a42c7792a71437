#include "devices/bus.hpp"

#include <algorithm>

namespace hyperstep::devices {

bool PortDevice::takes(std::uint16_t /*offset*/, IoWidth width) const {
    return width == IoWidth::byte;
}

std::string_view to_string(PortError error) {
    switch (error) {
        case PortError::overlap: return "a port of the range belongs to a device already";
        case PortError::empty: return "the range has no ports";
        case PortError::beyond: return "the range ends beyond port 0xffff";
    }
    return "unknown";
}

tl::expected<void, PortError> PortBus::attach(PortRange range, PortDevice& device, std::uint16_t offset) {
    const unsigned end = range.first + unsigned{range.count};
    if (range.count == 0) return tl::unexpected{PortError::empty};
    if (end > 0x10000) return tl::unexpected{PortError::beyond};
    const auto after = std::find_if(
        claims_.begin(), claims_.end(), [&](const Claim& claim) { return claim.range.first >= range.first; });
    if (after != claims_.end() && after->range.first < end) return tl::unexpected{PortError::overlap};
    if (after != claims_.begin()) {
        const PortRange before = std::prev(after)->range;
        if (before.first + unsigned{before.count} > range.first) return tl::unexpected{PortError::overlap};
    }
    claims_.insert(after, {range, &device, offset});
    return {};
}

const PortBus::Claim* PortBus::find(std::uint16_t port) const {
    const auto after =
        std::upper_bound(claims_.begin(), claims_.end(), port, [](std::uint16_t wanted, const Claim& claim) {
            return wanted < claim.range.first;
        });
    if (after == claims_.begin()) return nullptr;
    const Claim& claim = *std::prev(after);
    return port - claim.range.first < claim.range.count ? &claim : nullptr;
}

namespace {

std::uint16_t offset_in(PortRange range, std::uint16_t offset, std::uint16_t port) {
    return static_cast<std::uint16_t>(offset + (port - range.first));
}

}  // namespace

const PortBus::Claim* PortBus::whole(std::uint16_t port, IoWidth width) const {
    const Claim* claim = find(port);
    if (claim == nullptr) return nullptr;
    const unsigned left = unsigned{claim->range.count} + claim->range.first - port;
    const bool taken =
        left >= bytes_of(width) && claim->device->takes(offset_in(claim->range, claim->offset, port), width);
    return taken || width == IoWidth::byte ? claim : nullptr;
}

std::uint32_t PortBus::read(std::uint16_t port, IoWidth width) {
    if (const Claim* claim = whole(port, width))
        return claim->device->read(offset_in(claim->range, claim->offset, port), width) & mask_of(width);
    if (width == IoWidth::byte) return 0xff;
    std::uint32_t value = 0;
    for (unsigned i = 0; i < bytes_of(width); ++i)
        value |= read(static_cast<std::uint16_t>(port + i), IoWidth::byte) << (8 * i);
    return value;
}

void PortBus::write(std::uint16_t port, IoWidth width, std::uint32_t value) {
    if (const Claim* claim = whole(port, width)) {
        claim->device->write(offset_in(claim->range, claim->offset, port), width, value & mask_of(width));
        return;
    }
    if (width == IoWidth::byte) return;
    for (unsigned i = 0; i < bytes_of(width); ++i)
        write(static_cast<std::uint16_t>(port + i), IoWidth::byte, value >> (8 * i));
}

PortDevice* PortBus::device_at(std::uint16_t port) const {
    const Claim* claim = find(port);
    return claim == nullptr ? nullptr : claim->device;
}

}  // namespace hyperstep::devices
