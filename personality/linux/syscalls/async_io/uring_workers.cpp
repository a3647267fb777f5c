#include "syscalls/async_io/uring_workers.h"

#include "syscalls/async_io/uring_ring.h"

namespace linux_abi {

using core::IrqSave;
using core::MutexGuard;
using core::SpinGuard;

namespace {

// A worker is, for the length of a request, what its submitter was.
void take_on(Task& task, const UringRequest& request) {
  if (task.files != request.files) task.set_files(request.files);
  if (task.file_system != request.file_system) task.set_file_system(request.file_system);
  if (task.credentials_reference() != request.credentials) task.set_credentials(request.credentials);
}
void let_go(Task& task) {
  task.set_files({});
  task.set_file_system({});
  MutexGuard guard{task.process().signal_lock};
  task.pending.clear();  // SIGPIPE and the like: nobody takes them
}

}  // namespace

// What a new thread is to do; on a list until it has begun.
struct UringWorkers::Start {
  Start(RefPtr<UringWorkers> pool, Body what, void* with)
      : workers(std::move(pool)), body(what), argument(with) {}
  base::ListHook hook;
  const Task* task = nullptr;
  RefPtr<UringWorkers> workers;
  Body body;
  void* argument;
};

constinit core::Mutex UringWorkers::starts_lock{"io_uring starts"};

struct UringWorkers::Starts : base::IntrusiveList<Start, &Start::hook> {};

UringWorkers::Starts& UringWorkers::starts() {
  static constinit Starts list;
  return list;
}

Result<RefPtr<UringWorkers>> UringWorkers::create(Task& task) {
  auto workers = TRY(base::try_make_ref<UringWorkers>(task.process()));
  // What must not fail later: somebody for the requests whose wait has ended.
  TRY(workers->start_thread("iou-mgr", task, resume_loop, workers.get()));
  return workers;
}

Result<void> UringWorkers::start_thread(std::string_view name, const Task& like, Body body, void* argument) {
  auto start = TRY(base::try_make_unique<Start>(RefPtr<UringWorkers>(this), body, argument));
  auto pid = TRY(Pid::create());
  auto made = Task::create(RefPtr<Process>(process_), pid);
  if (!made) {
    pid->detach();
    return error(made.error());
  }
  Task& task = **made;
  task.set_credentials(like.credentials_reference());
  task.account = like.account;
  task.blocked = SignalSet::all();
  char text[core::Thread::name_capacity];
  base::TextBuffer buffer{std::span(text)};
  base::format(buffer, "{}-{}", name, process_->id());
  task.thread().set_name(buffer.view());
  task.thread().set_address_space(process_->address_space());
  start->task = &task;
  task.restart.function = thread_body;
  {
    MutexGuard guard{starts_lock};
    starts().push_back(*start.release());
  }
  threads_.fetch_add(1);
  core::Thread& thread = task.thread();
  (void)made->leak();  // the running thread's own
  thread.start();
  return {};
}

Result<long> UringWorkers::thread_body(Task& task, RestartBlock&) {
  std::unique_ptr<Start> start;
  {
    MutexGuard guard{starts_lock};
    for (Start& one : starts())
      if (one.task == &task) start.reset(&one);
    starts().remove(*start);
  }
  RefPtr<UringWorkers> workers = std::move(start->workers);
  {
    Context context{task, task.process(), task.registers};
    start->body(context, start->argument);
  }
  start.reset();
  let_go(task);
  task.thread().set_address_space({});
  task.thread().personality = nullptr;
  task.pid->detach();
  task.release_reference();
  workers->threads_.fetch_sub(1);
  workers->ended_.wake_all();
  workers = {};
  core::Thread::exit();
}

// ---- The process's requests ----

void UringWorkers::add(UringRequest& request) {
  MutexGuard guard{mutex_};
  all_.push_back(request);
}

void UringWorkers::remove(UringRequest& request) {
  {
    MutexGuard guard{mutex_};
    all_.remove(request);
  }
  delete &request;
  ended_.wake_all();
}

bool UringWorkers::has_any(const Task* task) {
  MutexGuard guard{mutex_};
  if (!task) return !all_.empty();
  for (UringRequest& request : all_)
    if (request.submitter == task) return true;
  return false;
}

// Tells one ring; false when there is nothing to cancel that has not been told.
bool UringWorkers::cancel_some(const Task* task) {
  RefPtr<Ring> ring;
  {
    MutexGuard guard{mutex_};
    for (UringRequest& request : all_) {
      if (task && request.submitter != task) continue;
      // Nobody takes from the submitter's own list any more.
      request.ring->abandon(*request.submitter);
      if (!ring && request.started && !request.cancel_wanted.load()) ring = request.ring;
    }
  }
  if (!ring) return false;
  ring->cancel_of(*this, task);
  return true;
}

void UringWorkers::cancel_of(const Task* task) {
  while (has_any(task)) {
    while (cancel_some(task)) {
    }
    // Chains go on with their next member when one has ended; those are told in turn.
    (void)!ended_.wait(
        core::WaitMode::uninterruptible, [&] { return !has_any(task); }, core::Deadline::after(10'000'000));
  }
}

void UringWorkers::register_thread(UringSqThread& thread) {
  MutexGuard guard{mutex_};
  sq_threads_.push_back(thread);
  if (stopping_sq_) thread.stop();
}
void UringWorkers::unregister_thread(UringSqThread& thread) {
  MutexGuard guard{mutex_};
  sq_threads_.remove(thread);
}

Result<void> UringWorkers::start_sq_thread(const Task& creator, UringSqThread& thread) {
  sq_count_.fetch_add(1);
  thread.acquire_reference();
  auto started = start_thread("iou-sqp", creator, UringSqThread::body, &thread);
  if (started) return started;
  thread.release_reference();
  sq_thread_ended();
  return started;
}

void UringWorkers::stop() {
  {
    MutexGuard guard{mutex_};
    stopping_sq_ = true;
    for (UringSqThread& thread : sq_threads_) thread.stop();
  }
  (void)!ended_.wait(core::WaitMode::uninterruptible, [&] { return sq_count_.load() == 0; });
  cancel_of(nullptr);
  stopping_.store(true);
  ready_queue_.wake_all();
  work_queue_.wake_all();
  (void)!ended_.wait(core::WaitMode::uninterruptible, [&] { return threads_.load() == 0; });
}

// ---- Work ----

void UringWorkers::push_ready(UringRequest& request) {
  SpinGuard<IrqSave> guard{queue_lock_};
  ready_.push_back(request);
  ready_queue_.wake_one();
}

void UringWorkers::queue(UringRequest& request) {
  // One worker for each that waits in the queue: whoever takes another may be away for long.
  if (queued_.load() >= idle_.load() && runners_.load() < limit()) {
    runners_.fetch_add(1);
    Task* task = current_task_or_null();
    auto started = task ? start_thread("iou-wrk", *task, wait_loop, this) : error(Errno::enomem);
    if (!started && runners_.fetch_sub(1) == 1) {
      // Nobody would ever run it.
      request.failed = Errno::ecanceled;
      return push_ready(request);
    }
  }
  {
    SpinGuard<IrqSave> guard{queue_lock_};
    request.place.store(UringRequest::Place::queued);
    queue_.push_back(request);
    queued_.fetch_add(1);
  }
  work_queue_.wake_one();
}

bool UringWorkers::dequeue(UringRequest& request) {
  SpinGuard<IrqSave> guard{queue_lock_};
  if (request.place.load() == UringRequest::Place::queued && request.queue_hook.is_linked()) {
    queue_.remove(request);
    queued_.fetch_sub(1);
    return true;
  }
  if (request.worker) request.worker->set_interrupted(core::InterruptLevel::kill);
  return false;
}

UringRequest* UringWorkers::take(From from) {
  SpinGuard<IrqSave> guard{queue_lock_};
  if (from == From::ready) return ready_.pop_front();
  UringRequest* request = queue_.pop_front();
  if (request) {
    queued_.fetch_sub(1);
    idle_.fetch_sub(1);
    request->place.store(UringRequest::Place::issuing);
    request->worker = &core::Thread::current();
  }
  return request;
}

void UringWorkers::resume_loop(Context& context, void* self) {
  auto& workers = *static_cast<UringWorkers*>(self);
  for (;;) {
    UringRequest* request = nullptr;
    (void)!workers.ready_queue_.wait(core::WaitMode::uninterruptible, [&] {
      request = workers.take(From::ready);
      return request || workers.stopping_.load();
    });
    if (!request) return;
    RefPtr<Ring> ring = request->ring;
    take_on(context.task, *request);
    ring->resume(context, *request);
    let_go(context.task);
  }
}

void UringWorkers::run_queued(Context& context, UringRequest& request) {
  RefPtr<Ring> ring = request.ring;
  take_on(context.task, request);
  UringRequest* next = ring->run_waiting(context, request);
  {
    // Nobody interrupts us for this one any more.
    SpinGuard<IrqSave> guard{queue_lock_};
    context.task.thread().set_interrupted(core::InterruptLevel::none);
  }
  ring->run(context, next, Ring::Patience::none);
  let_go(context.task);
}

void UringWorkers::wait_loop(Context& context, void* self) {
  auto& workers = *static_cast<UringWorkers*>(self);
  for (;;) {
    UringRequest* request = nullptr;
    workers.idle_.fetch_add(1);
    (void)!workers.work_queue_.wait(
        core::WaitMode::uninterruptible,
        [&] {
          request = workers.take(From::queue);
          return request || workers.stopping_.load();
        },
        core::Deadline::after(5'000'000'000));
    if (!request) {
      // Idle for long. One that came at the last moment is ours all the same.
      workers.runners_.fetch_sub(1);
      request = workers.take(From::queue);
      if (!request) {
        workers.idle_.fetch_sub(1);
        return;
      }
      workers.runners_.fetch_add(1);
    }
    workers.run_queued(context, *request);
  }
}

}  // namespace linux_abi
