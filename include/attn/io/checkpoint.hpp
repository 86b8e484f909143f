#pragma once

#include <attn/core/random.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/train/moving_average.hpp>
#include <attn/train/optimizer.hpp>
#include <bit>
#include <map>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {

template <class Part>
constexpr bool is_optimizer = false;
template <class T, class Rule>
constexpr bool is_optimizer<Optimizer<T, Rule>> = true;
template <class Part>
constexpr bool is_moving_average = false;
template <class T>
constexpr bool is_moving_average<MovingAverage<T>> = true;

/// What may be a part of a Checkpoint beside the model.
template <class Part>
concept CheckpointPart = is_optimizer<Part> || is_moving_average<Part> ||
                         std::same_as<Part, Random> || std::same_as<Part, Index>;

/// What a part's entries in the file begin with, or are.
template <CheckpointPart Part>
constexpr const char* checkpoint_name =
    is_optimizer<Part>
        ? "optimizer"
        : (is_moving_average<Part> ? "average" : (std::same_as<Part, Random> ? "random" : "step"));

/// What a training run consists of, named once, for saving and for loading: the model and, in any
/// order and each at most once, an optimiser, a MovingAverage, a Random, the number of steps done.
/// It holds references.
///
///   attn::Index step = 0;
///   const attn::Checkpoint run{model, adam, random, step};
///   if (std::filesystem::exists("run.safetensors")) attn::load_checkpoint("run.safetensors", run);
///   while (step < 10000) {
///     …; adam.step(rate(++step));
///     if (step % 100 == 0) attn::save_checkpoint("run.safetensors", run);
///   }
///
/// A run that is loaded goes on with the bits of one that was not stopped, as long as the program
/// gives the same options; those are not in the file. Nor are gradients: save between a step and
/// the next backward.
template <class Model, CheckpointPart... Parts>
class Checkpoint {
 public:
  using Scalar = typename decltype(std::declval<const Model&>().state_dict())::Scalar;
  Model& model;
  std::tuple<Parts&...> parts;

  explicit Checkpoint(Model& model_of_it, Parts&... parts_of_it)
      : model(model_of_it), parts(parts_of_it...) {
    constexpr auto at_most_one = [](std::string_view name) {
      return (0 + ... + (name == checkpoint_name<Parts>)) <= 1;
    };
    static_assert(at_most_one("optimizer") && at_most_one("average") && at_most_one("random") &&
                      at_most_one("step"),
                  "a checkpoint has one part of each kind");
  }

  /// What a file of this run says that it holds.
  std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> kinds{{"model", Model::kind},
                                             {"numbers", to_string(dtype_of<Scalar>)}};
    const auto add = [&]<class Part>(const Part&) {
      if constexpr (requires { Part::kind; }) kinds[checkpoint_name<Part>] = Part::kind;
      else kinds[checkpoint_name<Part>] = std::same_as<Part, Random> ? "Philox4x32-10" : "number";
    };
    std::apply([&](const auto&... part) { (add(part), ...); }, parts);
    return kinds;
  }
};

/// Writes a run into one safetensors file: `model.<parameter>`, `optimizer.<parameter>.exp_avg` and
/// so on, `average.<parameter>`, `random` (seed and counter, I64) and `step`. The file is written
/// beside the old one and put in its place, so that at any moment, also if the program is killed,
/// the one or the other is there, whole. (A killed program leaves what it wrote, `.attn-0.tmp`, to
/// be removed.)
/// Errors: FileError; an old file is then as it was.
template <class Model, class... Parts>
void save_checkpoint(const std::filesystem::path& path, const Checkpoint<Model, Parts...>& run) {
  SafeTensorsWriter writer;
  for (const auto& p : std::as_const(run.model).parameters())
    writer.add("model." + p.name, p.shape, p.value);
  const auto add = [&]<class Part>(const Part& part) {
    const std::string name = checkpoint_name<Part>;
    if constexpr (std::same_as<Part, Random>) {
      Tensor<std::int64_t, 1> both({2});
      both(0) = std::bit_cast<std::int64_t>(part.seed),
      both(1) = std::bit_cast<std::int64_t>(part.counter);
      writer.add(name, std::move(both));
    } else if constexpr (std::same_as<Part, Index>) {
      writer.add(name, {}, std::span<const Index>(&part, 1));
    } else {
      part.visit_state([&](const std::string& entry, const std::vector<Index>& shape, auto values) {
        writer.add(name + "." + entry, shape, values);
      });
    }
  };
  std::apply([&](const auto&... part) { (add(part), ...); }, run.parts);
  writer.save(path, run.metadata(), "save_checkpoint");
}

/// What `part` becomes by a checkpoint's file, as a function that makes it so and cannot fail.
template <CheckpointPart Part>
auto read_checkpoint_part(const SafeTensors& file, Part& part) {
  const std::string name = checkpoint_name<Part>;
  if constexpr (std::same_as<Part, Random>) {
    const auto both = file.get<std::int64_t, 1>(name);
    if (both.size() != 2)
      throw ShapeError(name + " " + to_string(both.shape()) +
                       " must be seed and counter, of shape (2)");
    return [&part, both = Random{std::bit_cast<std::uint64_t>(both(0)),
                                 std::bit_cast<std::uint64_t>(both(1))}]() mutable noexcept {
      part = both;
    };
  } else if constexpr (std::same_as<Part, Index>) {
    return [&part, step = read_steps("Checkpoint", file, name)]() mutable noexcept { part = step; };
  } else {
    return [&part, state = part.read_state(file, name + ".")]() mutable noexcept {
      part.set_state(std::move(state));
    };
  }
}

/// Makes of a run what it was when it was saved: all of it or, if it throws, nothing. Errors:
/// FileError or ShapeError, one sentence that begins with the file, if it is none or not whole, or
/// is of another model, optimiser or set of parts.
template <class Model, class... Parts>
void load_checkpoint(const std::filesystem::path& path, const Checkpoint<Model, Parts...>& run) {
  const std::string where = "load_checkpoint: \"" + path.string() + "\"";
  const auto list = [](const std::map<std::string, std::string>& kinds) {
    std::string text;
    for (const auto& [name, kind] : kinds)
      text += (text.empty() ? "" : ", ") + name + " (" + kind + ")";
    return text.empty() ? "nothing that a checkpoint says of itself" : text;
  };
  const SafeTensors file = load_safetensors(path);
  try {
    if (file.metadata() != run.metadata())
      throw FileError("the file must hold " + list(run.metadata()) + " but holds " +
                      list(file.metadata()));
    for (const std::string& name : file.names()) {
      const std::string part = name.substr(0, name.find('.'));
      const bool counts =
          name == "random" || part == "step" || (part == "optimizer" && name.ends_with(".step"));
      if (!run.metadata().contains(part))
        throw FileError("the entry " + in_quotes(name) +
                        " must belong to a part of the checkpoint");
      if (const Dtype wanted =
              counts ? Dtype::i64 : dtype_of<typename Checkpoint<Model, Parts...>::Scalar>;
          file.dtype(name) != wanted)
        throw FileError("the entry " + in_quotes(name) + " must be of type " + to_string(wanted) +
                        ", but is " + to_string(file.dtype(name)));
    }
    auto ready = std::apply(
        [&](auto&... part) { return std::tuple{read_checkpoint_part(file, part)...}; }, run.parts);
    run.model.load_state_dict(file,
                              "model.");  // changes nothing if it throws, and is the last that can
    std::apply([](auto&... become) { (become(), ...); }, ready);
  } catch (const ShapeError& error) {
    throw ShapeError(where + ": " + error.what());
  } catch (const Error& error) {
    throw FileError(where + ": " + error.what());
  }
}

}  // namespace ATTN_ABI
}  // namespace attn
