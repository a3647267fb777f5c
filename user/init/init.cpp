// /init of the initramfs that `./nos run` starts: the first program of the guest.
//
// It mounts what a Debian user land expects, gives the console to one session, and powers off when that
// session ends:
//
//   no /.nos/command          an interactive shell on the console
//   /.nos/command             the words of a command, each ended by a NUL; it runs instead of the shell
//   nos.command=WORD,WORD     the same on the kernel's command line, with %XX for what has a meaning there
//                             (for a root on a disk, where this program is /usr/lib/nos/init)
//   /.nos/modules/            modules that a Linux needs for the guest's devices
//   /.nos/plain-output        (or nos.output=plain) that command's output is not for a terminal: no "\r\n",
//                             no echo, nothing to read
//
// How it went is told on the second serial port, apart from all output: "status N" with the shell's
// convention (128 + signal for a command that was killed). The tool reads it there.
//
// From the kernel's command line it takes nos.size=ROWSxCOLUMNS and nos.term=NAME, the user's terminal, and
// nos.share=TAG,…, folders of the host to be mounted.
//
// It knows nothing of the kernel under it: the same binary boots Linux.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace {

constexpr const char* command_file = "/.nos/command";
constexpr const char* plain_output_file = "/.nos/plain-output";
constexpr const char* status_port = "/dev/ttyS1";

char kernel_command_line[4096];
char console_path[64] = "/dev/console";
char command_text[65536];
char* command_words[1024];

// To the console, not to stderr: before devtmpfs is there, stderr may not be.
[[gnu::format(printf, 1, 2)]] void complain(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  dprintf(STDERR_FILENO, "init: %s\r\n", text);
}

// Reads at most `capacity` - 1 bytes and ends them with a NUL. Returns the length, or -1.
ssize_t read_file(const char* path, char* buffer, size_t capacity) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  size_t length = 0;
  while (length < capacity - 1) {
    ssize_t count = read(file, buffer + length, capacity - 1 - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += static_cast<size_t>(count);
  }
  close(file);
  buffer[length] = '\0';
  return static_cast<ssize_t>(length);
}

// The value of the last `name`=value on the kernel's command line, copied into `value`.
bool parameter(const char* name, char* value, size_t capacity) {
  bool found = false;
  size_t name_length = strlen(name);
  for (const char* word = kernel_command_line; *word != '\0';) {
    size_t length = strcspn(word, " \n");
    if (length > name_length && strncmp(word, name, name_length) == 0 && word[name_length] == '=') {
      snprintf(value, capacity, "%.*s", static_cast<int>(length - name_length - 1), word + name_length + 1);
      found = true;
    }
    word += length;
    word += strspn(word, " \n");
  }
  return found;
}

bool is_empty(const char* path) {
  DIR* directory = opendir(path);
  if (directory == nullptr) return true;
  bool empty = true;
  while (dirent* entry = readdir(directory)) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) empty = false;
  }
  closedir(directory);
  return empty;
}

enum class Cover { always, only_if_empty };

void mount_at(const char* path, const char* type, const char* options, unsigned long flags,
              Cover cover = Cover::always) {
  mkdir(path, 0755);
  // What `--add` put into /run or /tmp would vanish under a mount.
  if (cover == Cover::only_if_empty && !is_empty(path)) return;
  if (mount(type, path, type, flags, options) != 0 && errno != EBUSY) {
    complain("cannot mount %s on %s: %s", type, path, strerror(errno));
  }
}

void mount_everything() {
  mount_at("/dev", "devtmpfs", "mode=755", MS_NOSUID);
  mount_at("/proc", "proc", nullptr, MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount_at("/sys", "sysfs", nullptr, MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount_at("/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC);
  mount_at("/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV);
  mount_at("/run", "tmpfs", "mode=755", MS_NOSUID | MS_NODEV, Cover::only_if_empty);
  mount_at("/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, Cover::only_if_empty);
  symlink("/proc/self/fd", "/dev/fd");
  symlink("/proc/self/fd/0", "/dev/stdin");
  symlink("/proc/self/fd/1", "/dev/stdout");
  symlink("/proc/self/fd/2", "/dev/stderr");
}

// The folders of the host that nos.share=TAG,TAG:ro names: each at /mnt/TAG.
void mount_shares() {
  static char list[1024];
  if (!parameter("nos.share", list, sizeof(list))) return;
  mkdir("/mnt", 0755);
  char* rest = list;
  while (char* tag = strsep(&rest, ",")) {
    char* mode = strchr(tag, ':');
    if (mode != nullptr) *mode = '\0';
    char place[64];
    snprintf(place, sizeof(place), "/mnt/%s", tag);
    mkdir(place, 0755);
    if (mount(tag, place, "9p", mode != nullptr ? MS_RDONLY : 0, "trans=virtio,version=9p2000.L") != 0)
      complain("cannot mount the share %s on %s: %s", tag, place, strerror(errno));
  }
}

void load_modules() {
  constexpr int compressed = 4;  // MODULE_INIT_COMPRESSED_FILE
  DIR* directory = opendir("/.nos/modules");
  if (directory == nullptr) return;
  while (dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    int file = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
    if (syscall(SYS_finit_module, file, "", compressed) != 0)
      complain("cannot load %s: %s", entry->d_name, strerror(errno));
    close(file);
  }
  closedir(directory);
}

// 127.0.0.1 works where the kernel has a network; where it has none there is nothing to say.
void bring_up_loopback() {
  int endpoint = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (endpoint < 0) return;
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  if (ioctl(endpoint, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP;
    ioctl(endpoint, SIOCSIFFLAGS, &request);
  }
  close(endpoint);
}

// /dev/console cannot be a controlling terminal; the terminal behind it, the last console= there is, can.
void find_console() {
  char name[48];
  if (!parameter("console", name, sizeof(name))) return;
  name[strcspn(name, ",")] = '\0';
  snprintf(console_path, sizeof(console_path), "/dev/%s", name);
}

enum class Output { terminal, plain };

void prepare_terminal(int terminal, Output output) {
  winsize size = {};
  char text[32];
  if (parameter("nos.size", text, sizeof(text)) && sscanf(text, "%hux%hu", &size.ws_row, &size.ws_col) == 2) {
    ioctl(terminal, TIOCSWINSZ, &size);
  }
  if (output == Output::plain) {
    termios settings;
    if (tcgetattr(terminal, &settings) == 0) {
      settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
      settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
      tcsetattr(terminal, TCSANOW, &settings);
    }
  }
}

// In the child: makes a session of its own with the console as controlling terminal.
void take_console(Output output) {
  setsid();
  int terminal = open(console_path, O_RDWR | O_NOCTTY);
  if (terminal < 0) terminal = open("/dev/console", O_RDWR | O_NOCTTY);
  if (terminal < 0) {
    complain("cannot open %s: %s", console_path, strerror(errno));
    return;
  }
  if (ioctl(terminal, TIOCSCTTY, 1) != 0) complain("no controlling terminal: %s", strerror(errno));
  prepare_terminal(terminal, output);
  int input = output == Output::plain ? open("/dev/null", O_RDONLY) : -1;
  dup2(input >= 0 ? input : terminal, STDIN_FILENO);
  dup2(terminal, STDOUT_FILENO);
  dup2(terminal, STDERR_FILENO);
  if (terminal > STDERR_FILENO) close(terminal);
  if (input > STDERR_FILENO) close(input);
}

void set_environment() {
  char terminal_name[48] = "vt100";
  parameter("nos.term", terminal_name, sizeof(terminal_name));
  clearenv();
  setenv("HOME", "/root", 1);
  setenv("USER", "root", 1);
  setenv("LOGNAME", "root", 1);
  setenv("SHELL", access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh", 1);
  setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  setenv("TERM", terminal_name, 1);
  setenv("LANG", "C.UTF-8", 1);
}

void split_command(size_t length) {
  size_t count = 0;
  for (char* word = command_text;
       word < command_text + length && count + 1 < sizeof(command_words) / sizeof(*command_words);
       word += strlen(word) + 1) {
    command_words[count++] = word;
  }
}

// In place; returns the new length. A comma ends a word.
size_t decode_command(char* text) {
  char* out = text;
  for (const char* in = text; *in != '\0'; ++in) {
    unsigned value;
    if (*in == '%' && sscanf(in + 1, "%2x", &value) == 1) {
      *out++ = static_cast<char>(value);
      in += 2;
    } else {
      *out++ = *in == ',' ? '\0' : *in;
    }
  }
  *out = '\0';
  return static_cast<size_t>(out - text);
}

// False when there is no command.
bool read_command() {
  ssize_t length = read_file(command_file, command_text, sizeof(command_text));
  if (length <= 0 && parameter("nos.command", command_text, sizeof(command_text)))
    length = static_cast<ssize_t>(decode_command(command_text)) + 1;
  if (length <= 0) return false;
  split_command(static_cast<size_t>(length));
  return command_words[0] != nullptr;
}

bool wants_plain_output() {
  char text[16];
  if (parameter("nos.output", text, sizeof(text))) return strcmp(text, "plain") == 0;
  return access(plain_output_file, F_OK) == 0;
}

// A root on a disk is left clean.
void finish_root() {
  sync();
  mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
}

[[noreturn]] void become_command() {
  execvp(command_words[0], command_words);
  int error = errno;
  dprintf(STDERR_FILENO, "%s: %s\n", command_words[0], strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

[[noreturn]] void become_shell() {
  const char* shell = getenv("SHELL");
  execl(shell, shell, static_cast<char*>(nullptr));
  complain("cannot start %s: %s", shell, strerror(errno));
  _exit(127);
}

pid_t start_session(bool has_command, Output output) {
  pid_t child = fork();
  if (child != 0) return child;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  take_console(output);
  set_environment();
  if (chdir("/root") != 0) chdir("/");
  if (has_command) become_command();
  become_shell();
}

// Reaps orphans until `session` ends; returns its status as a shell would tell it.
int wait_for(pid_t session) {
  for (;;) {
    int status = 0;
    pid_t child = wait(&status);
    if (child < 0 && errno == EINTR) continue;
    if (child < 0) return 127;
    if (child != session) continue;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
  }
}

void report(int status) {
  int port = open(status_port, O_WRONLY | O_NOCTTY | O_CLOEXEC);
  bool own_port = port >= 0;
  // Boards with one serial port: an operating system command that no terminal knows, in the output itself.
  if (!own_port) port = open(console_path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (port < 0) return;
  dprintf(port, own_port ? "status %d\n" : "\033]nos;status %d\a\n", status);
  tcdrain(port);
  close(port);
}

// What a Linux kernel says about powering off would end up in the output of the command.
void silence_kernel_messages() {
  int file = open("/proc/sys/kernel/printk", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] ssize_t count = write(file, "0", 1);
  close(file);
}

void drain_console() {
  int console = open(console_path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (console < 0) return;
  tcdrain(console);
  close(console);
}

}  // namespace

int main() {
  mount_everything();
  read_file("/proc/cmdline", kernel_command_line, sizeof(kernel_command_line));
  find_console();
  load_modules();
  mount_shares();
  sethostname("nos", 3);
  bring_up_loopback();

  bool has_command = read_command();
  Output output = wants_plain_output() ? Output::plain : Output::terminal;
  pid_t session = start_session(has_command, output);
  int status = session > 0 ? wait_for(session) : 127;

  silence_kernel_messages();
  drain_console();
  report(status);
  kill(-1, SIGKILL);
  finish_root();
  reboot(RB_POWER_OFF);
  complain("power off failed: %s", strerror(errno));
  // The machine is still on. PID 1 must not end, so it sleeps; the user can still leave QEMU.
  for (;;) pause();
}
