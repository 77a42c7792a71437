// Covers: explain/msr_file.cpp explain/msr_file_lines.cpp explain/msr_file_json.cpp
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "explain/msr_file.hpp"
#include "explain/words.hpp"

// Lists of capability MSRs: each is given once, in a line of the text, and a list of what was given reads the
// same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hyperstep;
    const std::string text(data, data + size);
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    const auto file = explain::read_msrs(text);
    if (!file) {
        if (file.error().what.empty() || file.error().what != explain::without_controls(file.error().what) ||
            file.error().line > lines)
            std::abort();
        return 0;
    }
    if (file->given.empty()) std::abort();
    std::string list;
    for (const explain::GivenCapability& given : file->given) {
        if (given.line < 1 || given.line > lines) std::abort();
        if (vmx::info(given.slot).kind != vmx::SlotKind::capability) std::abort();
        char value[24];
        std::snprintf(value, sizeof value, ": 0x%llx\n", static_cast<unsigned long long>(given.value));
        list += vmx::info(given.slot).name;
        list += value;
    }
    const auto again = explain::read_msrs(list);
    if (!again || again->given.size() != file->given.size()) std::abort();
    if (again->over() != file->over()) std::abort();
    return 0;
}
