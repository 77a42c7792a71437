#include "cli/processor_choice.hpp"

#include <iostream>
#include <vector>

#include "cli/input_file.hpp"
#include "explain/msr_file.hpp"
#include "explain/nearest_name.hpp"
#include "explain/tables_text.hpp"

namespace hyperstep::cli {

tl::expected<vmx::Capabilities, std::string> choose_processor(const std::string& name,
                                                              const std::string& msrs_file) {
    vmx::Capabilities cpu;
    if (!name.empty()) {
        const auto known = vmx::preset(name);
        if (!known) {
            const std::vector<std::string> names = explain::processor_names();
            std::string text = "no processor is named \"" + name.substr(0, 80) + "\"; there are";
            for (const std::string& known_name : names)
                text += (known_name == names.front() ? " " : ", ") + known_name;
            return tl::unexpected(text + explain::did_you_mean(name, names));
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
