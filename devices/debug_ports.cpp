#include "devices/debug_ports.hpp"

#include <string_view>

namespace hyperstep::devices {

void DebugExit::write(std::uint16_t /*offset*/, IoWidth /*width*/, std::uint32_t value) {
    signals_.debug_exit(value);
}

void ShutdownPort::write(std::uint16_t /*offset*/, IoWidth /*width*/, std::uint32_t value) {
    constexpr std::string_view word = "Shutdown";
    const auto byte = static_cast<char>(value);
    std::size_t matched = state_.matched < word.size() ? state_.matched : 0;
    // No letter but the first begins the word anew.
    matched = byte == word[matched] ? matched + 1 : (byte == word[0] ? 1 : 0);
    if (matched == word.size()) {
        matched = 0;
        signals_.power_off();
    }
    state_.matched = static_cast<std::uint8_t>(matched);
}

std::uint32_t PostCode::read(std::uint16_t /*offset*/, IoWidth /*width*/) {
    return state_.code;
}

void PostCode::write(std::uint16_t /*offset*/, IoWidth /*width*/, std::uint32_t value) {
    state_.code = static_cast<std::uint8_t>(value);
}

void DebugConsole::write(std::uint16_t /*offset*/, IoWidth /*width*/, std::uint32_t value) {
    if (sink_) sink_(static_cast<char>(value));
}

TestDevice::TestDevice(MachineSignals& signals, InterruptWires& wires) : signals_{signals} {
    for (unsigned line = 0; line < InterruptWires::lines; ++line) lines_[line] = &wires.connect(line);
}

bool TestDevice::takes(std::uint16_t offset, IoWidth width) const {
    return offset <= flush_register || width == IoWidth::byte;
}

std::uint32_t TestDevice::read(std::uint16_t offset, IoWidth /*width*/) {
    return offset < flush_register ? state_.scratch >> (8U * offset) : 0;
}

void TestDevice::write(std::uint16_t offset, IoWidth width, std::uint32_t value) {
    if (offset < flush_register) {
        const std::uint32_t written = mask_of(width) << (8U * offset);
        state_.scratch = (state_.scratch & ~written) | (value << (8U * offset) & written);
    } else if (offset == flush_register) {
        signals_.flush_page(value & ~0xfffU);
    } else if (const unsigned line = offset - unsigned{first_line_register}; line < lines_.size()) {
        lines_[line]->set(level_if((value & 0xffU) != 0));
    }
}

}  // namespace hyperstep::devices
