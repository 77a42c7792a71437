#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "machine/pc.hpp"
#include "tests/machine/image_builder.hpp"

// A PC that has booted a piece of 32-bit code.
namespace hyperstep::machine {

class GuestPc {
public:
    struct Options {
        unsigned processors = 1;
        std::uint64_t seed = 0;
        Trace trace{};
        bool traces_instructions = false;
    };
    explicit GuestPc(std::initializer_list<std::uint8_t> program) : GuestPc{program, Options{}} {}
    GuestPc(std::initializer_list<std::uint8_t> program, const Options& options)
        : pc{{.processors = options.processors,
              .memory = MemoryMap::of(16ULL << 20).value(),
              .seed = options.seed,
              .serial = [this](char byte) { printed += byte; },
              .trace = options.trace,
              .traces_instructions = options.traces_instructions}} {
        const Bytes image = multiboot_image(program);
        pc.boot(
            plan_boot(
                {.image = image.span(), .image_name = "test", .command_line = "", .modules = {}, .flat = {}},
                pc.memory_map())
                .value());
    }
    /// Where the code begins.
    static constexpr std::uint64_t code = 0x10'000c;

    std::string printed;
    Pc pc;
};

}  // namespace hyperstep::machine
