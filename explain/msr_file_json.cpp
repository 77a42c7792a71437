#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "explain/msr_collector.hpp"

// Lists of MSRs as a JSON object: {"0x480":"0xda040000000004","MAXPHYADDR":39}. Objects inside are entered,
// arrays are passed over, so that the output of `hyperstep cpu show --json` can be read again.
namespace hyperstep::explain {
namespace {

using nlohmann::json;

/// Takes the parser's events one by one: unlike a parsed object it sees a key that comes twice.
class JsonReader final : public nlohmann::json_sax<json> {
public:
    explicit JsonReader(std::string_view text) : text_{text} {}

    bool null() override { return true; }
    bool boolean(bool value) override { return give(value ? 1U : 0U); }
    bool number_integer(number_integer_t value) override {
        if (is_capability()) return refuse(fmt::format("{} cannot be {}: it is not negative", key_, value));
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override { return give(value); }
    bool number_float(number_float_t /*value*/, const string_t& written) override {
        if (is_capability())
            return refuse(
                fmt::format("{} cannot be {}: write a whole number of up to 64 bits", key_, written));
        return true;
    }
    bool string(string_t& value) override;
    bool binary(binary_t& /*value*/) override { return true; }
    bool start_object(std::size_t /*elements*/) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t /*elements*/) override {
        ++arrays_;
        return true;
    }
    bool end_array() override {
        --arrays_;
        return true;
    }
    bool key(string_t& name) override;
    bool parse_error(std::size_t position,
                     const std::string& /*token*/,
                     const nlohmann::detail::exception& /*why*/) override {
        error =
            TextError{line_at(position),
                      "this is not valid JSON; expected an object such as {\"0x480\":\"0xda040000000004\"}"};
        return false;
    }

    MsrCollector collector;
    std::optional<TextError> error;

private:
    bool is_capability() const { return arrays_ == 0 && msr_key(key_).has_value(); }
    bool give(std::uint64_t value);
    bool refuse(std::string what) {
        error = TextError{line_, std::move(what)};
        return false;
    }
    std::size_t line_at(std::size_t position) const {
        const std::string_view before = text_.substr(0, std::min(position, text_.size()));
        return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    }
    std::string_view text_;
    std::string key_;
    std::size_t arrays_ = 0;
    std::size_t position_ = 0;  ///< behind the present key
    std::size_t line_ = 1;      ///< of the present key
};

/// The parser does not say where it is, so the key is looked for. Only so far: a key written with escapes is
/// not found.
bool JsonReader::key(string_t& name) {
    constexpr std::size_t window = 4096;
    key_ = name;
    const std::string_view ahead = text_.substr(position_, window + name.size());
    const std::size_t at = ahead.find('"' + name + '"');
    if (at == std::string_view::npos) return true;
    line_ += static_cast<std::size_t>(
        std::count(ahead.begin(), ahead.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    position_ += at + name.size() + 2;
    return true;
}

bool JsonReader::give(std::uint64_t value) {
    const auto key = arrays_ == 0 ? msr_key(key_) : std::nullopt;
    if (!key) return true;
    if (auto added = collector.add(*key, key_, value, line_); !added) {
        error = added.error();
        return false;
    }
    return true;
}

bool JsonReader::string(string_t& value) {
    const auto key = arrays_ == 0 ? msr_key(key_) : std::nullopt;
    if (!key) return true;
    if (const auto number = msr_value(value, *key)) return give(*number);
    return refuse(fmt::format(
        "\"{}\" is not a value of {}: expected a number of up to 64 bits, such as \"0x5fbcff00000000\"",
        value.substr(0, 40),
        key_.substr(0, 40)));
}

}  // namespace

tl::expected<MsrFile, TextError> read_msr_json(std::string_view text) {
    JsonReader reader{text};
    if (!json::sax_parse(text.begin(), text.end(), &reader) || reader.error)
        return tl::unexpected{reader.error.value_or(TextError{0, "this is not valid JSON"})};
    return std::move(reader.collector).finish();
}

}  // namespace hyperstep::explain
