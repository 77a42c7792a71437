#pragma once
#include <optional>

#include "explain/vmcs_lines.hpp"

namespace hyperstep::explain {

/// Dumps of the VMCS by KVM and Xen: the same lines in two spellings.
class VmcsDumps : public Collector {
public:
    explicit VmcsDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    void open(const Record& record);
    bool take_header(std::string_view text, const Record& record);
    bool take_part(std::string_view text, const Record& record);

    DumpStore& store_;
    std::optional<Draft> draft_;
    VmcsLines lines_;
    bool xen_ahead_ = false;  // "VMCS Area" has been seen
};

}  // namespace hyperstep::explain
