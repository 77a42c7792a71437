#include "tests/explain/dump_samples.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace hyperstep::explain::test {
namespace {

std::filesystem::path folder() {
    return std::filesystem::path{__FILE__}.parent_path().parent_path().parent_path() / "casebook" / "dumps";
}

}  // namespace

std::string sample(std::string_view name) {
    std::ifstream file{folder() / (std::string{name} + ".txt"), std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<std::string> sample_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{folder()})
        if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
}

std::string shown(const Dump& dump, vmx::Slot slot) {
    const vmx::PartialWord word = dump.state[slot];
    const std::uint64_t mask = vmx::mask_of(*vmx::field_in(slot));
    if ((word.known & mask) == 0) return "?";
    std::ostringstream out;
    out << std::hex << "0x" << word.value;
    if ((word.known & mask) != mask) out << "/0x" << (word.known & mask);
    return out.str();
}

}  // namespace hyperstep::explain::test
