#pragma once

#include <attn/io/checkpoint.hpp>
#include <attn/mpi/sharded.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// In a checkpoint, a sharded optimizer is the optimizer that it is without shards.
template <class AnyOptimizer>
constexpr bool is_optimizer<mpi::Sharded<AnyOptimizer>> = true;

}  // namespace detail

namespace mpi {

/// What a training run on several ranks consists of, as attn::Checkpoint:
///
///   attn::Index step = 0;
///   const attn::mpi::Checkpoint run{world, model, adam, random, step};
///   attn::mpi::load_if_there("run.safetensors", run);
///   while (step < 10000 && !world.any(interrupted)) {
///     replicas.backward(random, loss_of_part);
///     adam.step(rate(++step));
///     if (step % 100 == 0) attn::mpi::save_checkpoint("run.safetensors", run);
///   }
///
/// The optimizer is a Sharded one, of the model's parameters. The file is byte for byte the one
/// that attn::save_checkpoint writes in a single process, so that a run continues on any number of
/// ranks that divides the number of parts, with or without MPI.
template <class Model, class... Parts>
class Checkpoint {
 public:
  const World& world;
  attn::Checkpoint<Model, Parts...> run;

  explicit Checkpoint(const World& of_ranks, Model& model, Parts&... parts)
      : world(of_ranks), run(model, parts...) {}
};

namespace detail {

/// Gathers tensors on rank 0, of which every rank has some elements, in memory for one at a time.
template <class T>
class TensorGathering {
 public:
  explicit TensorGathering(const World& world) : world_(world) {}

  /// Allocates memory for a tensor of so many elements, on rank 0.
  void allow_for(Index size) {
    if (world_.rank() == 0 && size > whole_.size()) whole_ = Buffer<T>::for_overwrite(size);
  }
  /// The whole tensor on rank 0, nothing on the others; rank r has counts[r] of its elements.
  std::span<const T> gather(std::span<const T> mine, std::span<const Index> counts) {
    constexpr auto element = static_cast<Index>(sizeof(T));
    PointToPoint messages(world_, largest_message);
    if (world_.rank() == 0) {
      std::copy(mine.begin(), mine.end(), whole_.data());
      T* to = whole_.data();
      for (std::size_t rank = 0; rank < counts.size(); ++rank) {
        if (rank > 0) messages.receive(to, counts[rank] * element, static_cast<Index>(rank));
        to += counts[rank];
      }
    } else {
      messages.send(mine.data(), std::ssize(mine) * element, 0);
    }
    Gathering<T>({}, std::move(messages).messages()).wait();
    if (world_.rank() != 0) return {};
    return {whole_.data(), static_cast<std::size_t>(sum_of(counts))};
  }

 private:
  const World& world_;
  Buffer<T> whole_;
};

/// Adds a part of a checkpoint to the writer; the state of a sharded optimizer is gathered when it
/// is written.
template <class Part, class T>
void save_part(SafeTensorsWriter& writer, const Part& part, TensorGathering<T>& tensors) {
  if constexpr (!attn::detail::is_optimizer<Part>) {
    attn::detail::save_checkpoint_part(writer, part);
  } else {
    const std::string name = std::string(attn::detail::checkpoint_name<Part>) + ".";
    part.visit_shards([&]<class U>(const std::string& entry, const std::vector<Index>& shape,
                                   std::span<const U> mine, std::vector<Index> counts) {
      if constexpr (!std::same_as<U, T>) {
        writer.add(name + entry, std::int64_t{mine[0]});
      } else {
        tensors.allow_for(sum_of(counts));
        writer.add_from<T>(name + entry, shape, [&tensors, mine, counts = std::move(counts)] {
          return tensors.gather(mine, counts);
        });
      }
    });
  }
}

/// The file that rank 0 writes. What it throws is kept by the operation of all ranks, so that they
/// go through the same messages.
struct FileOfRankZero {
  Together& together;
  std::optional<AtomicFile> file;

  void write(std::span<const std::byte> bytes) {
    together.compute([&] {
      if (file) file->write(bytes);
    });
  }
};

/// What must be the same on all ranks when a run is saved or loaded.
template <class Run>
std::string description_of(const char* function, const std::filesystem::path& path,
                           const Run& run) {
  std::string text = std::string(function) + ": path \"" + path.string() + "\"";
  const auto add = [&]<class Part>(const Part& part) {
    if constexpr (std::same_as<Part, Index>) text += "; step " + std::to_string(part);
    if constexpr (std::same_as<Part, Random>)
      text += "; random " + std::to_string(part.seed) + ", " + std::to_string(part.counter);
  };
  std::apply([&](const auto&... part) { (add(part), ...); }, run.parts);
  return text;
}

}  // namespace detail

/// Writes a run into one file, see attn::save_checkpoint: rank 0 writes it, and the others send it
/// their shards, one tensor at a time. At any moment, also if ranks are killed, the old or the new
/// file is there, whole.
/// Errors: FileError on all ranks; an old file is then as it was. ShapeError if the ranks have
/// different numbers of steps or states of their random numbers.
template <class Model, class... Parts>
void save_checkpoint(const std::filesystem::path& path, const Checkpoint<Model, Parts...>& of_run) {
  const World& world = of_run.world;
  const auto& run = of_run.run;
  Together together(world, detail::description_of("save_checkpoint", path, run));
  using T = typename attn::Checkpoint<Model, Parts...>::Scalar;
  detail::TensorGathering<T> tensors(world);
  SafeTensorsWriter writer;
  std::map<std::string, std::string> metadata;
  detail::FileOfRankZero to{together, std::nullopt};
  together.compute([&] {
    const auto save_part = [&](SafeTensorsWriter& into, const auto& part) {
      detail::save_part(into, part, tensors);
    };
    metadata = attn::detail::save_checkpoint_to(writer, run, save_part);
    if (world.rank() == 0) to.file.emplace(path, "save_checkpoint");
  });
  together.finish();
  writer.write(to, metadata, "save_checkpoint");
  together.finish();
  together.compute([&] {
    if (to.file) to.file->commit();
  });
  together.finish();
}

/// Makes a run what it was when it was saved, on all ranks or on none, see attn::load_checkpoint.
/// Every rank reads the file, which must be the same for all of them.
template <class Model, class... Parts>
void load_checkpoint(const std::filesystem::path& path, const Checkpoint<Model, Parts...>& of_run,
                     ChangedOptions changed_options = ChangedOptions::refuse) {
  const auto& run = of_run.run;
  const std::string where = "load_checkpoint: \"" + path.string() + "\"";
  const auto read = [&](const SafeTensors& file) {
    return attn::detail::read_checkpoint(file, run, changed_options, where);
  };
  Together together(of_run.world, detail::description_of("load_checkpoint", path, run));
  std::optional<SafeTensors> file;
  std::optional<decltype(read(*file))> setters;
  std::optional<decltype(run.model.state_dict())> before;
  together.compute([&] {
    file.emplace(load_safetensors(path));
    setters.emplace(read(*file));
    before.emplace(run.model.state_dict());
  });
  together.finish();
  together.compute([&] {
    attn::detail::with_file_in_errors(where, [&] { run.model.load_state_dict(*file, "model."); });
  });
  try {
    together.finish();
  } catch (...) {
    run.model.load_state_dict(*before);
    throw;
  }
  std::apply([](auto&... set) { (set(), ...); }, *setters);
}

/// Loads a checkpoint if rank 0 has the file; returns whether it has, the same on all ranks.
template <class Model, class... Parts>
bool load_if_there(const std::filesystem::path& path, const Checkpoint<Model, Parts...>& of_run,
                   ChangedOptions changed_options = ChangedOptions::refuse) {
  const World& world = of_run.world;
  std::error_code ignored;
  if (!world.any(world.rank() == 0 && std::filesystem::exists(path, ignored))) return false;
  load_checkpoint(path, of_run, changed_options);
  return true;
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
