#pragma once
#include <optional>
#include <string>
#include <vector>

#include "explain/draft.hpp"
#include "explain/field_names.hpp"

namespace hyperstep::explain {

/// Plain lists, `field = value` a line: by name or by encoding, with "=", ":" or blanks.
class FieldLists : public Collector {
public:
    explicit FieldLists(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    struct Entry {
        NamedField field;
        Number value;
        std::optional<std::uint64_t> decimal;
        bool by_name = false;
    };
    void add(const Record& record, const Entry& entry);

    DumpStore& store_;
    std::optional<Draft> draft_;
    std::vector<Entry> entries_;
    bool bare_hex_ = false;
};

}  // namespace hyperstep::explain
