#include "tests/cpu/native/host_processor.hpp"

#include <algorithm>
#include <asm/ldt.h>
#include <cerrno>
#include <cstring>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <ucontext.h>
#include <unistd.h>

namespace hyperstep::native {

struct HostProcessor::Shared {
    std::size_t count = 0;
    volatile std::size_t finished = 0;
    std::array<Trial, most_trials> trials;
    std::array<Result, most_trials> results;
};

namespace {

constexpr std::uint64_t trap_flag = 1 << 8;
constexpr std::uint16_t user_code_64 = 0x33, user_code_32 = 0x23, user_data = 0x2b;
constexpr std::uint16_t ldt_code_16 = 0x07;  ///< entry 0 of the LDT, RPL 3
constexpr std::size_t xsave_header = 512, xsave_ymm = 576;
constexpr std::uint32_t xstate_magic = 0x46505853;  ///< FP_XSTATE_MAGIC1: behind the image there is more

/// What the child's signal handler works on. It is the only thread there.
struct Child {
    const std::size_t* count = nullptr;
    volatile std::size_t* finished = nullptr;
    const Trial* trials = nullptr;
    Result* results = nullptr;
    std::uint8_t* code = nullptr;  ///< a second, writable mapping of the code page
    std::uint8_t* window = nullptr;
    std::size_t current = 0;
    bool running = false;
    gregset_t resting_registers;  ///< of the child between batches
    std::array<std::uint8_t, 4096> resting_image;
    std::size_t image_bytes = 512;
};
Child child;

constexpr int register_numbers[16] = {REG_RAX,
                                      REG_RCX,
                                      REG_RDX,
                                      REG_RBX,
                                      REG_RSP,
                                      REG_RBP,
                                      REG_RSI,
                                      REG_RDI,
                                      REG_R8,
                                      REG_R9,
                                      REG_R10,
                                      REG_R11,
                                      REG_R12,
                                      REG_R13,
                                      REG_R14,
                                      REG_R15};

std::uint8_t* image_of(ucontext_t& context) {
    return reinterpret_cast<std::uint8_t*>(context.uc_mcontext.fpregs);
}

/// The size of the processor state that the kernel puts into a signal's frame.
std::size_t image_bytes_of(const std::uint8_t* image) {
    std::uint32_t magic = 0, size = 0;
    std::memcpy(&magic, image + 464, 4);
    std::memcpy(&size, image + 480, 4);
    return magic == xstate_magic ? size : 512;
}

void enter(ucontext_t& context, const Trial& trial) {
    std::memcpy(child.code + (trial.before.rip - layout::code), trial.code.data(), trial.code_bytes);
    std::memset(reinterpret_cast<void*>(layout::data), 0, 2 * layout::page);
    std::memcpy(child.window, trial.window.data(), trial.window.size());
    greg_t* registers = context.uc_mcontext.gregs;
    for (int i = 0; i < 16; ++i)
        registers[register_numbers[i]] = static_cast<greg_t>(trial.before.gpr[static_cast<std::size_t>(i)]);
    const bool is_16 = trial.size == CodeSize::bits_16;
    registers[REG_RIP] = static_cast<greg_t>(is_16 ? trial.before.rip - layout::code : trial.before.rip);
    registers[REG_EFL] = static_cast<greg_t>(trial.before.rflags | trap_flag);
    const std::uint16_t code_selector = is_16                             ? ldt_code_16
                                        : trial.size == CodeSize::bits_32 ? user_code_32
                                                                          : user_code_64;
    const std::uint64_t selectors = static_cast<std::uint64_t>(registers[REG_CSGSFS]);
    registers[REG_CSGSFS] = static_cast<greg_t>((selectors & 0x0000'ffff'ffff'0000) | code_selector |
                                                static_cast<std::uint64_t>(user_data) << 48);
    std::uint8_t* image = image_of(context);
    // Bytes 464 to 511 are the kernel's.
    std::memcpy(image, trial.before.fxsave.data(), 416);
    if (child.image_bytes > xsave_ymm) {
        const std::uint64_t components = 7;
        std::memcpy(image + xsave_header, &components, 8);
        std::memcpy(image + xsave_ymm, trial.before.ymm_high.data(), sizeof trial.before.ymm_high);
    }
}

void leave(ucontext_t& context, const Trial& trial, Result& result) {
    const greg_t* registers = context.uc_mcontext.gregs;
    for (int i = 0; i < 16; ++i)
        result.after.gpr[static_cast<std::size_t>(i)] =
            static_cast<std::uint64_t>(registers[register_numbers[i]]);
    result.after.rip = static_cast<std::uint64_t>(registers[REG_RIP]);
    if (trial.size == CodeSize::bits_16) result.after.rip += layout::code;
    result.after.rflags = static_cast<std::uint64_t>(registers[REG_EFL]) & ~trap_flag;
    const auto vector = static_cast<std::uint8_t>(registers[REG_TRAPNO]);
    result.vector = vector == 1 ? Result::no_fault : vector;
    result.error_code = static_cast<std::uint32_t>(registers[REG_ERR]);
    result.fault_address = static_cast<std::uint64_t>(registers[REG_CR2]);
    const std::uint8_t* image = image_of(context);
    std::memcpy(result.after.fxsave.data(), image, 416);
    result.after.ymm_high = {};
    if (child.image_bytes > xsave_ymm) {
        std::uint64_t components = 0;
        std::memcpy(&components, image + xsave_header, 8);
        if ((components & 4) != 0)
            std::memcpy(result.after.ymm_high.data(), image + xsave_ymm, sizeof result.after.ymm_high);
        if ((components & 2) == 0) std::memset(result.after.fxsave.data() + 160, 0, 256);
        if ((components & 1) == 0) {
            std::memset(result.after.fxsave.data(), 0, 24);
            result.after.fxsave[0] = 0x7f;
            result.after.fxsave[1] = 0x03;
            std::memset(result.after.fxsave.data() + 32, 0, 128);
        }
    }
    std::memcpy(result.window.data(), child.window, result.window.size());
}

/// A repeated instruction traps after each iteration, with RIP still at it.
bool goes_on(const ucontext_t& context, const Trial& trial) {
    const greg_t* registers = context.uc_mcontext.gregs;
    const std::uint64_t start =
        trial.size == CodeSize::bits_16 ? trial.before.rip - layout::code : trial.before.rip;
    return trial.repeats && registers[REG_TRAPNO] == 1 &&
           static_cast<std::uint64_t>(registers[REG_RIP]) == start;
}

void on_signal(int /*signal*/, siginfo_t* /*info*/, void* argument) {
    // The trial's alignment check must not be ours, nor its direction of strings; nested-task and ID stay
    // over a return from a signal.
    asm volatile("pushfq\n\tandq $~0x244400, (%%rsp)\n\tpopfq" : : : "memory", "cc");
    auto& context = *static_cast<ucontext_t*>(argument);
    if (!child.running) {
        child.running = true;
        child.current = 0;
        std::memcpy(child.resting_registers, context.uc_mcontext.gregs, sizeof child.resting_registers);
        child.image_bytes = std::min(image_bytes_of(image_of(context)), child.resting_image.size());
        std::memcpy(child.resting_image.data(), image_of(context), child.image_bytes);
    } else {
        const Trial& trial = child.trials[child.current];
        if (goes_on(context, trial)) {
            context.uc_mcontext.gregs[REG_EFL] |= static_cast<greg_t>(trap_flag);
            return;
        }
        leave(context, trial, child.results[child.current]);
        *child.finished = ++child.current;
    }
    if (child.current < *child.count) {
        enter(context, child.trials[child.current]);
        return;
    }
    child.running = false;
    std::memcpy(context.uc_mcontext.gregs, child.resting_registers, sizeof child.resting_registers);
    std::memcpy(image_of(context), child.resting_image.data(), child.image_bytes);
}

void* map_at(std::uint64_t address, std::uint64_t bytes, int protection, int file, std::uint64_t offset) {
    void* place = mmap(reinterpret_cast<void*>(address),
                       bytes,
                       protection,
                       (address != 0 ? MAP_FIXED : 0) | MAP_SHARED | MAP_POPULATE,
                       file,
                       static_cast<off_t>(offset));
    if (place == MAP_FAILED)
        throw std::system_error{errno, std::generic_category(), "mmap of a trial's memory"};
    return place;
}

/// Code segments of 16 bits with base `layout::code`, and the data segments that a 64-bit process leaves
/// null.
void prepare_segments() {
    user_desc entry{};
    entry.entry_number = 0;
    entry.base_addr = static_cast<unsigned>(layout::code);
    entry.limit = 0xffff;
    entry.contents = MODIFY_LDT_CONTENTS_CODE;
    if (syscall(SYS_modify_ldt, 1, &entry, sizeof entry) != 0)
        throw std::system_error{errno, std::generic_category(), "modify_ldt"};
    asm volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(static_cast<int>(user_data)));
}

[[noreturn]] void serve(int in, int out, int memory_file) {
    child.code = static_cast<std::uint8_t*>(map_at(0, layout::page, PROT_READ | PROT_WRITE, memory_file, 0));
    map_at(layout::code, layout::page, PROT_READ | PROT_EXEC, memory_file, 0);
    map_at(layout::data, 2 * layout::page, PROT_READ | PROT_WRITE, memory_file, layout::page);
    map_at(layout::read_only, layout::page, PROT_READ, memory_file, 3 * layout::page);
    child.window = reinterpret_cast<std::uint8_t*>(layout::window);
    stack_t alternate{};
    alternate.ss_size = 1 << 16;
    alternate.ss_sp =
        mmap(nullptr, alternate.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&alternate, nullptr);
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (const int number : {SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaction(number, &action, nullptr);
    prepare_segments();
    char token = 0;
    if (write(out, &token, 1) != 1) _exit(1);
    while (::read(in, &token, 1) == 1) {
        asm volatile("int3" : : : "memory");
        if (write(out, &token, 1) != 1) break;
    }
    _exit(0);
}

}  // namespace

HostProcessor::HostProcessor() {
    void* place = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) throw std::system_error{errno, std::generic_category(), "mmap"};
    shared_ = new (place) Shared;
    start();
}

HostProcessor::~HostProcessor() {
    stop();
    munmap(shared_, sizeof(Shared));
}

void HostProcessor::start() {
    memory_file_ = memfd_create("trial", 0);
    if (memory_file_ < 0 || ftruncate(memory_file_, 4 * layout::page) != 0)
        throw std::system_error{errno, std::generic_category(), "memfd_create"};
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) throw std::system_error{errno, std::generic_category(), "pipe"};
    child_ = fork();
    if (child_ < 0) throw std::system_error{errno, std::generic_category(), "fork"};
    if (child_ == 0) {
        close(to[1]);
        close(from[0]);
        child.trials = shared_->trials.data();
        child.results = shared_->results.data();
        child.finished = &shared_->finished;
        child.count = &shared_->count;
        serve(to[0], from[1], memory_file_);
    }
    close(to[0]);
    close(from[1]);
    to_child_ = to[1];
    from_child_ = from[0];
    char token = 0;
    if (::read(from_child_, &token, 1) != 1)
        throw std::system_error{ECHILD, std::generic_category(), "the child that runs trials did not start"};
}

void HostProcessor::stop() {
    close(to_child_);
    close(from_child_);
    close(memory_file_);
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
}

bool HostProcessor::run(std::span<const Trial> trials, std::span<Result> results, std::size_t& finished) {
    shared_->count = trials.size();
    shared_->finished = 0;
    std::copy(trials.begin(), trials.end(), shared_->trials.begin());
    char token = 0;
    const bool answered = write(to_child_, &token, 1) == 1 && ::read(from_child_, &token, 1) == 1;
    finished = shared_->finished;
    std::copy_n(shared_->results.begin(), finished, results.begin());
    if (answered && finished == trials.size()) return true;
    stop();
    start();
    return false;
}

}  // namespace hyperstep::native
