#include <iostream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

int main() {
  std::vector<int> numbers{1, 1};
  while (numbers.size() < 8) numbers.push_back(numbers.end()[-1] + numbers.end()[-2]);
  std::cout << "hello from C++:";
  for (int number : numbers) std::cout << ' ' << number;
  std::cout << '\n';
  try {
    throw std::runtime_error("thrown");
  } catch (const std::exception& error) {
    std::cout << "caught: " << error.what() << '\n';
  }
  int total = 0;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10000; j++) {
        std::lock_guard guard(mutex);
        total++;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::cout << "threads: " << total << '\n';
}
