#include "tests/cpu/unicorn/unicorn_processor.hpp"

#include <initializer_list>
#include <stdexcept>
#include <unicorn/unicorn.h>

namespace hyperstep::unicorn {
namespace {

void check(uc_err error) {
    if (error != UC_ERR_OK) throw std::runtime_error(uc_strerror(error));
}

uc_mode mode_of(Surroundings surroundings) {
    switch (surroundings) {
        case Surroundings::real: return UC_MODE_16;
        case Surroundings::long_64: return UC_MODE_64;
        default: return UC_MODE_32;
    }
}

constexpr std::array<int, 16> gpr_ids{UC_X86_REG_RAX,
                                      UC_X86_REG_RCX,
                                      UC_X86_REG_RDX,
                                      UC_X86_REG_RBX,
                                      UC_X86_REG_RSP,
                                      UC_X86_REG_RBP,
                                      UC_X86_REG_RSI,
                                      UC_X86_REG_RDI,
                                      UC_X86_REG_R8,
                                      UC_X86_REG_R9,
                                      UC_X86_REG_R10,
                                      UC_X86_REG_R11,
                                      UC_X86_REG_R12,
                                      UC_X86_REG_R13,
                                      UC_X86_REG_R14,
                                      UC_X86_REG_R15};
constexpr std::array<int, 8> gpr_ids_32{UC_X86_REG_EAX,
                                        UC_X86_REG_ECX,
                                        UC_X86_REG_EDX,
                                        UC_X86_REG_EBX,
                                        UC_X86_REG_ESP,
                                        UC_X86_REG_EBP,
                                        UC_X86_REG_ESI,
                                        UC_X86_REG_EDI};
constexpr std::array<int, 6> segment_ids{
    UC_X86_REG_ES, UC_X86_REG_CS, UC_X86_REG_SS, UC_X86_REG_DS, UC_X86_REG_FS, UC_X86_REG_GS};

/// Where Unicorn is told to stop at the latest: it translates the address at each start.
constexpr std::uint64_t nowhere = layout::ram_bytes - 0x10;

class Engine {
public:
    explicit Engine(Surroundings surroundings) : surroundings_{surroundings} {
        check(uc_open(UC_ARCH_X86, mode_of(surroundings), &engine_));
        check(uc_ctl_set_cpu_model(engine_, UC_CPU_X86_HASWELL));
        check(uc_mem_map(engine_, 0, layout::ram_bytes, UC_PROT_ALL));
        check(uc_hook_add(engine_, &hook_, UC_HOOK_INTR, reinterpret_cast<void*>(&on_exception), this, 1, 0));
    }
    ~Engine() { uc_close(engine_); }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    void write(std::uint64_t address, const void* bytes, std::size_t count) {
        check(uc_mem_write(engine_, address, bytes, count));
    }
    void read(std::uint64_t address, void* bytes, std::size_t count) {
        check(uc_mem_read(engine_, address, bytes, count));
    }
    std::uint64_t get(int id) {
        std::uint64_t value = 0;
        check(uc_reg_read(engine_, id, &value));
        return value;
    }
    void set(int id, std::uint64_t value) { check(uc_reg_write(engine_, id, &value)); }
    uc_x86_mmr table(int id) {
        uc_x86_mmr value{};
        check(uc_reg_read(engine_, id, &value));
        return value;
    }
    void set_table(int id, uc_x86_mmr value) { check(uc_reg_write(engine_, id, &value)); }
    std::uint64_t msr(std::uint32_t index) {
        uc_x86_msr value{index, 0};
        check(uc_reg_read(engine_, UC_X86_REG_MSR, &value));
        return value.value;
    }
    bool is_64() const { return surroundings_ == Surroundings::long_64; }

    /// Executes the instruction at layout::code; its exception, or Result::no_fault.
    unsigned step() {
        vector_ = Result::no_fault;
        const uc_err error = uc_emu_start(engine_, layout::code, nowhere, 0, 1);
        if (vector_ == Result::no_fault && error == UC_ERR_INSN_INVALID) return 6;
        if (vector_ == Result::no_fault) check(error);
        return vector_;
    }
    /// One instruction of those that make the surroundings.
    void prepare(std::initializer_list<std::uint8_t> code) {
        write(place_, code.begin(), code.size());
        vector_ = Result::no_fault;
        check(uc_emu_start(engine_, place_, nowhere, 0, 1));
        if (vector_ != Result::no_fault) throw std::runtime_error("an exception in the preparation");
        place_ += 0x20;
    }

private:
    static void on_exception(uc_engine* engine, std::uint32_t vector, void* self) {
        static_cast<Engine*>(self)->vector_ = vector;
        uc_emu_stop(engine);
    }

    Surroundings surroundings_;
    uc_engine* engine_ = nullptr;
    uc_hook hook_{};
    unsigned vector_ = Result::no_fault;
    std::uint64_t place_ = 0x8000;  ///< of the next instruction of the preparation
};

void put_page_tables(Engine& engine) {
    const std::uint64_t first = (layout::page_tables + 0x1000) | 7,
                        second = (layout::page_tables + 0x2000) | 7;
    engine.write(layout::page_tables, &first, 8);
    engine.write(layout::page_tables + 0x1000, &second, 8);
    for (std::uint64_t i = 0; i < 512; ++i) {
        const std::uint64_t entry = i << 21 | 0x87;
        engine.write(layout::page_tables + 0x2000 + i * 8, &entry, 8);
    }
}

/// Segment registers and control registers as software sets them, by the instructions that do.
void enter(Engine& engine, const Trial& trial) {
    engine.write(layout::begin, trial.memory.data(), trial.memory.size());
    engine.set_table(UC_X86_REG_GDTR, {0, layout::gdt, table_limit, 0});
    engine.set_table(UC_X86_REG_IDTR, {0, 0, 0x3ff, 0});
    if (engine.is_64()) {
        put_page_tables(engine);
        engine.set(UC_X86_REG_RAX, first_cr4(trial.surroundings));
        engine.prepare({0x0f, 0x22, 0xe0});  // MOV CR4, RAX
        engine.set(UC_X86_REG_RAX, layout::page_tables);
        engine.prepare({0x0f, 0x22, 0xd8});  // MOV CR3, RAX
        engine.set(UC_X86_REG_RAX, first_cr0(trial.surroundings));
        engine.prepare({0x0f, 0x22, 0xc0});  // MOV CR0, RAX
    } else {
        engine.set(UC_X86_REG_EAX, first_cr4(trial.surroundings));
        engine.prepare({0x0f, 0x22, 0xe0});
        engine.set(UC_X86_REG_EAX, first_cr0(trial.surroundings));
        engine.prepare({0x0f, 0x22, 0xc0});
    }
    if (trial.surroundings == Surroundings::real) return;
    engine.set(UC_X86_REG_EAX, selector::stack);
    for (const std::uint8_t modrm : std::initializer_list<std::uint8_t>{0xc0, 0xd0, 0xd8, 0xe0, 0xe8})
        engine.prepare({0x8e, modrm});
    const std::array<std::uint8_t, 6> target{0x00, 0x10, 0, 0, selector::code, 0};
    static_assert(layout::code == 0x1000);
    engine.write(0x9000, target.data(), target.size());
    if (engine.is_64())
        engine.prepare({0xff, 0x2c, 0x25, 0x00, 0x90, 0, 0});  // JMP FAR [9000H]
    else
        engine.prepare({0xff, 0x2d, 0x00, 0x90, 0, 0});
}

void set_general_registers(Engine& engine, const Trial& trial) {
    if (engine.is_64())
        for (std::size_t i = 0; i < 16; ++i) engine.set(gpr_ids[i], trial.gpr[i]);
    else
        for (std::size_t i = 0; i < 8; ++i) engine.set(gpr_ids_32[i], trial.gpr[i] & 0xffff'ffff);
    engine.set(UC_X86_REG_EFLAGS, trial.rflags);
}

/// In the order of our_registers().
std::vector<Value> registers_of(Engine& engine, Surroundings surroundings) {
    std::vector<Value> values;
    for (std::size_t i = 0; i < (engine.is_64() ? 16 : 8); ++i)
        values.push_back({gpr_names[i], engine.get(engine.is_64() ? gpr_ids[i] : gpr_ids_32[i])});
    values.push_back({"RIP",
                      engine.get(engine.is_64()                       ? UC_X86_REG_RIP
                                 : surroundings == Surroundings::real ? UC_X86_REG_IP
                                                                      : UC_X86_REG_EIP)});
    values.push_back({"RFLAGS", engine.get(engine.is_64() ? UC_X86_REG_RFLAGS : UC_X86_REG_EFLAGS)});
    for (std::size_t i = 0; i < 6; ++i) values.push_back({segment_names[i], engine.get(segment_ids[i])});
    values.push_back({"CR0", engine.get(UC_X86_REG_CR0)});
    values.push_back({"CR2", engine.get(UC_X86_REG_CR2)});
    values.push_back({"CR3", engine.get(UC_X86_REG_CR3)});
    values.push_back({"CR4", engine.get(UC_X86_REG_CR4)});
    values.push_back({"DR0", engine.get(UC_X86_REG_DR0)});
    values.push_back({"DR1", engine.get(UC_X86_REG_DR1)});
    values.push_back({"DR2", engine.get(UC_X86_REG_DR2)});
    values.push_back({"DR3", engine.get(UC_X86_REG_DR3)});
    values.push_back({"DR6", engine.get(UC_X86_REG_DR6)});
    values.push_back({"DR7", engine.get(UC_X86_REG_DR7)});
    const uc_x86_mmr gdtr = engine.table(UC_X86_REG_GDTR), idtr = engine.table(UC_X86_REG_IDTR),
                     ldtr = engine.table(UC_X86_REG_LDTR), tr = engine.table(UC_X86_REG_TR);
    values.push_back({"GDTR base", gdtr.base});
    values.push_back({"GDTR limit", gdtr.limit});
    values.push_back({"IDTR base", idtr.base});
    values.push_back({"IDTR limit", idtr.limit});
    values.push_back({"LDTR", ldtr.selector});
    values.push_back({"LDTR base", ldtr.base});
    values.push_back({"LDTR limit", ldtr.limit});
    values.push_back({"TR", tr.selector});
    values.push_back({"TR base", tr.base});
    values.push_back({"TR limit", tr.limit});
    if (engine.is_64())
        for (std::size_t i = 0; i < compared_msrs.size(); ++i)
            values.push_back({msr_names[i], engine.msr(compared_msrs[i])});
    return values;
}

}  // namespace

Result run_on_unicorn(const Trial& trial) {
    Engine engine{trial.surroundings};
    enter(engine, trial);
    // The loads have set accessed bits.
    engine.write(layout::begin, trial.memory.data(), trial.memory.size());
    set_general_registers(engine, trial);
    Result result;
    result.vector = engine.step();
    result.registers = registers_of(engine, trial.surroundings);
    engine.read(layout::begin, result.memory.data(), result.memory.size());
    return result;
}

}  // namespace hyperstep::unicorn
