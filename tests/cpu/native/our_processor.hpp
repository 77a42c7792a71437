#pragma once
#include "tests/cpu/bare_machine.hpp"
#include "tests/cpu/native/user_state.hpp"

namespace hyperstep::native {

/// Our interpreter in the same surroundings as the host's: CPL 3, the same linear addresses with the same
/// rights.
class OurProcessor {
public:
    OurProcessor();
    Result run(const Trial& trial);
    /// The processor after the last trial, for those who want to know more.
    cpu::Cpu& processor() { return machine_.cpu; }

private:
    void map(std::uint64_t linear, std::uint64_t physical, std::uint64_t flags);
    void enter(const Trial& trial);

    cpu::BareMachine machine_;
    std::uint64_t next_table_;
};

/// The FXSAVE image of our state and back, in 64-bit form. Written from the manual for these tests.
FxsaveImage fxsave_image(const cpu::State& state);
void load_fxsave_image(cpu::State& state, const FxsaveImage& image);

}  // namespace hyperstep::native
