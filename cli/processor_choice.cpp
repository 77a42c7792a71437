#include "cli/processor_choice.hpp"

#include <iostream>

#include "cli/input_file.hpp"
#include "explain/msr_file.hpp"

namespace hyperstep::cli {

tl::expected<vmx::Capabilities, std::string> choose_processor(const std::string& name,
                                                              const std::string& msrs_file) {
    vmx::Capabilities cpu;
    if (!name.empty()) {
        const auto known = vmx::preset(name);
        if (!known) {
            std::string names;
            for (const auto& preset : vmx::all_presets())
                names += (names.empty() ? "" : ", ") + std::string{preset.name};
            return tl::unexpected("no processor is named \"" + name + "\"; there are " + names);
        }
        cpu = *known;
    }
    if (msrs_file.empty()) return cpu;
    const auto text = read_whole(msrs_file, explain::max_msr_file_bytes);
    if (!text) return tl::unexpected(text.error());
    const auto read = explain::read_msrs(*text);
    if (read) {
        for (const std::string& note : read->notes)
            std::cerr << "hyperstep: " << msrs_file << ": " << note << '\n';
        return read->over(cpu);
    }
    const std::string where = read.error().line != 0 ? ":" + std::to_string(read.error().line) : "";
    return tl::unexpected(msrs_file + where + ": " + read.error().what);
}

}  // namespace hyperstep::cli
