#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "base/bits.hpp"
#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/machine_signals.hpp"

namespace hyperstep::devices {

/// The 256 bytes of one function's configuration space: what they hold, and which bits a guest may write.
struct ConfigurationSpace {
    std::array<std::uint8_t, 256> initial{};   ///< after a reset
    std::array<std::uint8_t, 256> writable{};  ///< the bits that a guest may write
    /// Bits of the status register that a 1 clears (PCI "Device Status").
    static constexpr std::uint16_t status_cleared_by_one = 0xf900;
};
/// The i440FX host bridge, 8086:1237.
ConfigurationSpace host_bridge_440fx();
/// The PIIX3 ISA bridge, 8086:7000.
ConfigurationSpace isa_bridge_piix3();

/// PCI configuration mechanism 1 on bus 0, and the reset control register that lies among its ports.
/// Registers: 0 to 3 (ports 0xcf8 to 0xcfb) CONFIG_ADDRESS as a dword, of which byte 1 (port 0xcf9) written
/// alone is the reset control register; 4 to 7 (ports 0xcfc to 0xcff) CONFIG_DATA. PCI Local Bus
/// Specification "Configuration Mechanism #1". Functions that are not there read as ones.
class PciConfiguration final : public PortDevice {
public:
    static constexpr std::size_t most_functions = 32;

    /// What of a function a guest can change.
    struct FunctionState {
        std::uint8_t slot = 0;  ///< device << 3 | function
        std::array<std::uint8_t, 256> bytes{};
        auto visit(auto& archive) { return archive(field("slot", slot), field("bytes", bytes)); }
    };
    struct State {
        std::uint32_t address = 0;
        std::uint8_t reset_control = 0;
        std::vector<FunctionState> functions;
        auto visit(auto& archive) {
            return archive(field("address", address),
                           field("reset_control", reset_control),
                           field("functions", at_most<most_functions>(functions)));
        }
    };

    explicit PciConfiguration(MachineSignals& signals) : signals_{signals} {}
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset();
    /// Adds a function of bus 0. Device and function are below 32 and 8, and free.
    void add(unsigned device, unsigned function, const ConfigurationSpace& space);

    std::string_view name() const override { return "PCI configuration"; }
    bool takes(std::uint16_t offset, IoWidth width) const override;
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    struct Function {
        std::uint8_t slot = 0;
        ConfigurationSpace space;
    };
    /// The index of the function that CONFIG_ADDRESS selects; as many as there are: none.
    std::size_t selected() const;
    void write_byte(std::size_t function, unsigned index, std::uint8_t value);
    void write_reset_control(std::uint8_t value);

    State state_;
    std::vector<Function> functions_;  ///< as state_.functions
    MachineSignals& signals_;
};

}  // namespace hyperstep::devices
