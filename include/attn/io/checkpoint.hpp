#pragma once

#include <attn/core/random.hpp>
#include <attn/io/checkpoint_options.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/train/moving_average.hpp>
#include <attn/train/optimizer.hpp>
#include <bit>
#include <map>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

template <class Part>
constexpr bool is_optimizer = false;
template <class T, class Rule>
constexpr bool is_optimizer<Optimizer<T, Rule>> = true;
template <class Part>
constexpr bool is_moving_average = false;
template <class T>
constexpr bool is_moving_average<MovingAverage<T>> = true;

/// Whether a part has options, which belong in the file.
template <class Part>
constexpr bool has_options = is_optimizer<Part> || is_moving_average<Part>;

}  // namespace detail

/// What may be a part of a Checkpoint beside the model.
template <class Part>
concept CheckpointPart =
    detail::has_options<Part> || std::same_as<Part, Random> || std::same_as<Part, Index>;

namespace detail {

/// What the names of a part's entries in the file begin with, or are.
template <CheckpointPart Part>
constexpr const char* checkpoint_name = is_optimizer<Part>           ? "optimizer"
                                        : is_moving_average<Part>    ? "average"
                                        : std::same_as<Part, Random> ? "random"
                                                                     : "step";

/// The key of a part's options in the file's metadata.
template <CheckpointPart Part>
std::string groups_key() {
  return std::string(checkpoint_name<Part>) + ".groups";
}

}  // namespace detail

/// What a training run consists of, named once, for saving and for loading: the model and, in any
/// order and each at most once, an optimizer, a MovingAverage, a Random, the number of steps done.
/// It holds references.
///
///   attn::Index step = 0;
///   const attn::Checkpoint run{model, adam, random, step};
///   if (std::filesystem::exists("run.safetensors")) attn::load_checkpoint("run.safetensors", run);
///   while (step < 10000) {
///     …
///     adam.step(rate(++step));
///     if (step % 100 == 0) attn::save_checkpoint("run.safetensors", run);
///   }
///
/// A run that is loaded continues bitwise identically to one that was not stopped. The options of
/// the optimizer and the MovingAverage are in the file, and loading compares them; those of the
/// model and the schedule are not, and the program must give the same. Nor are gradients: save
/// between a step and the next backward pass.
template <class Model, CheckpointPart... Parts>
class Checkpoint {
 public:
  using Scalar = typename decltype(std::declval<const Model&>().state_dict())::Scalar;
  Model& model;
  std::tuple<Parts&...> parts;

  explicit Checkpoint(Model& model_of_it, Parts&... parts_of_it)
      : model(model_of_it), parts(parts_of_it...) {
    constexpr auto at_most_one = [](std::string_view name) {
      return (0 + ... + (name == detail::checkpoint_name<Parts>)) <= 1;
    };
    static_assert(at_most_one("optimizer") && at_most_one("average") && at_most_one("random") &&
                      at_most_one("step"),
                  "a checkpoint has one part of each kind");
  }
};

/// What loading does where the options of the optimizer or the MovingAverage are not those that the
/// file was saved with.
enum class ChangedOptions {
  refuse,  ///< throws an OptionError that names every difference
  accept,  ///< the program's options hold from here on
};

namespace detail {

/// The kinds of the model and of every part, as the file's metadata hold them.
template <class Model, class... Parts>
std::map<std::string, std::string> checkpoint_kinds(const Checkpoint<Model, Parts...>&) {
  using Scalar = typename Checkpoint<Model, Parts...>::Scalar;
  std::map<std::string, std::string> kinds{{"model", Model::kind},
                                           {"numbers", to_string(dtype_of<Scalar>)}};
  const auto add = [&]<class Part>(std::type_identity<Part>) {
    if constexpr (has_options<Part>) kinds[checkpoint_name<Part>] = Part::kind;
    else kinds[checkpoint_name<Part>] = std::same_as<Part, Random> ? "Philox4x32-10" : "number";
  };
  (add(std::type_identity<Parts>{}), ...);
  return kinds;
}

/// Adds a part's entries. Numbers of steps are I64, whatever the size of an Index.
template <CheckpointPart Part>
void save_checkpoint_part(SafeTensorsWriter& writer, const Part& part) {
  const std::string name = checkpoint_name<Part>;
  if constexpr (std::same_as<Part, Random>) {
    Tensor<std::int64_t, 1> state({2});
    state(0) = std::bit_cast<std::int64_t>(part.seed);
    state(1) = std::bit_cast<std::int64_t>(part.counter);
    writer.add(name, std::move(state));
  } else if constexpr (std::same_as<Part, Index>) {
    writer.add(name, std::int64_t{part});
  } else {
    part.visit_state([&]<class T>(const std::string& entry, const std::vector<Index>& shape,
                                  std::span<const T> values) {
      if constexpr (std::same_as<T, Index>) writer.add(name + "." + entry, std::int64_t{values[0]});
      else writer.add(name + "." + entry, shape, values);
    });
  }
}

/// Reads a part; the result is a function that sets it and cannot fail.
template <CheckpointPart Part>
auto read_checkpoint_part(const SafeTensors& file, Part& part) {
  const std::string name = checkpoint_name<Part>;
  if constexpr (std::same_as<Part, Random>) {
    const auto state = file.get<std::int64_t, 1>(name);
    if (state.size() != 2)
      throw ShapeError(name + " " + to_string(state.shape()) +
                       " must be seed and counter, of shape (2)");
    const Random random{std::bit_cast<std::uint64_t>(state(0)),
                        std::bit_cast<std::uint64_t>(state(1))};
    return [&part, random]() mutable noexcept { part = random; };
  } else if constexpr (std::same_as<Part, Index>) {
    return [&part, step = read_steps("Checkpoint", file, name)]() mutable noexcept { part = step; };
  } else {
    return [&part, state = part.read_state(file, name + ".")]() mutable noexcept {
      part.set_state(std::move(state));
    };
  }
}

inline constexpr const char* how_to_accept =
    "to resume with the program's options, pass attn::ChangedOptions::accept to load_checkpoint";

/// The file must hold the run's parts, each of its kind. Errors: FileError.
template <class Run>
void expect_kinds(const SafeTensors& file, const Run& run, const std::string& where) {
  const auto list = [](const std::map<std::string, std::string>& kinds) {
    std::string text;
    for (const auto& [name, kind] : kinds)
      text += (text.empty() ? "" : ", ") + name + " (" + kind + ")";
    return text.empty() ? "nothing that a checkpoint says of itself" : text;
  };
  std::map<std::string, std::string> stored = file.metadata();
  std::erase_if(stored, [](const auto& entry) { return entry.first.ends_with(".groups"); });
  const std::map<std::string, std::string> kinds = checkpoint_kinds(run);
  if (stored != kinds)
    throw FileError(where + ": the file must hold " + list(kinds) + " but holds " + list(stored));
}

/// Every entry must belong to a part of the run, and be of the type that the part saves. Errors:
/// FileError.
template <class Run>
void expect_entry_types(const SafeTensors& file, const Run& run, const std::string& where) {
  const std::map<std::string, std::string> kinds = checkpoint_kinds(run);
  for (const std::string& name : file.names()) {
    const std::string part = name.substr(0, name.find('.'));
    if (!kinds.contains(part))
      throw FileError(where + ": the entry " + in_quotes(name) +
                      " must belong to a part of the checkpoint");
    const bool is_count =
        name == "random" || part == "step" || (part == "optimizer" && name.ends_with(".step"));
    const std::string wanted = to_string(is_count ? Dtype::i64 : dtype_of<typename Run::Scalar>);
    if (file.dtype_name(name) != wanted)
      throw FileError(where + ": the entry " + in_quotes(name) + " must be of type " + wanted +
                      ", but is " + file.dtype_name(name));
  }
}

/// "Adam has beta1 = 0.8 instead of 0.9 in group 0 (weight, bias)" for a part whose options are not
/// those in the file; empty otherwise. Errors: OptionError if the file has no options, FileError if
/// they cannot be read.
template <CheckpointPart Part>
std::string changed_options_of(const Part& part, const SafeTensors& file,
                               const std::string& where) {
  if constexpr (has_options<Part>) {
    const auto stored = file.metadata().find(groups_key<Part>());
    if (stored == file.metadata().end())
      throw OptionError(where + ": the file must hold the options of " + Part::kind +
                        ", which it was saved without; " + how_to_accept);
    const std::string differences =
        group_differences(part.parameter_groups(),
                          groups_from_json_text(stored->second, where + ": " + stored->first));
    if (!differences.empty()) return Part::kind + (" has " + differences);
  }
  return "";
}

/// The parts must have the options that the file was saved with. Errors: OptionError, one sentence
/// with every option that differs; those of `changed_options_of`.
template <class... Parts>
void expect_same_options(const SafeTensors& file, const std::tuple<Parts&...>& parts,
                         const std::string& where) {
  std::string all;
  const auto add = [&](const std::string& changed) {
    if (!changed.empty()) all += (all.empty() ? "" : ", and ") + changed;
  };
  std::apply([&](const auto&... part) { (add(changed_options_of(part, file, where)), ...); },
             parts);
  if (!all.empty())
    throw OptionError(where + ": the options must be those that the file was saved with, but " +
                      all + "; " + how_to_accept);
}

}  // namespace detail

/// Writes a run into one safetensors file: `model.<parameter>`, `optimizer.<parameter>.exp_avg` and
/// so on, `average.<parameter>`, `random` (seed and counter, I64) and `step`; the metadata hold the
/// kinds of the parts and, as `optimizer.groups` and `average.groups`, their options for each
/// parameter group. The file is written beside the old one and put in its place, so that at any
/// moment, also if the program is killed, one of the two is there, whole. (A killed program leaves
/// what it wrote, `.attn-0.tmp`, to be removed.)
/// Errors: FileError; an old file is then as it was.
template <class Model, class... Parts>
void save_checkpoint(const std::filesystem::path& path, const Checkpoint<Model, Parts...>& run) {
  SafeTensorsWriter writer;
  for (const auto& p : std::as_const(run.model).parameters())
    writer.add("model." + p.name, p.shape, p.value);
  std::map<std::string, std::string> metadata = detail::checkpoint_kinds(run);
  const auto add = [&]<class Part>(const Part& part) {
    detail::save_checkpoint_part(writer, part);
    if constexpr (detail::has_options<Part>)
      metadata[detail::groups_key<Part>()] = detail::to_json_text(part.parameter_groups());
  };
  std::apply([&](const auto&... part) { (add(part), ...); }, run.parts);
  writer.save(path, metadata, "save_checkpoint");
}

/// Makes a run what it was when it was saved: all of it or, if it throws, nothing. Options that
/// differ from those in the file are refused unless the call says that they are meant:
/// `load_checkpoint(path, run, attn::ChangedOptions::accept)`. So is a file without options, as
/// version 0.1 first wrote them. What is compared is the options of each parameter, not how the
/// parameters are divided into groups. A momentum that is switched on or off changes what the
/// optimizer state consists of, and cannot be accepted.
/// Errors: one sentence that begins with the file. FileError or ShapeError if the file is no
/// checkpoint or not whole, or is of another model, optimizer or set of parts; OptionError if
/// options differ.
template <class Model, class... Parts>
void load_checkpoint(const std::filesystem::path& path, const Checkpoint<Model, Parts...>& run,
                     ChangedOptions changed_options = ChangedOptions::refuse) {
  const std::string where = "load_checkpoint: \"" + path.string() + "\"";
  const SafeTensors file = load_safetensors(path);
  detail::expect_kinds(file, run, where);
  detail::expect_entry_types(file, run, where);
  if (changed_options == ChangedOptions::refuse)
    detail::expect_same_options(file, run.parts, where);
  try {
    auto setters = std::apply(
        [&](auto&... part) { return std::tuple{detail::read_checkpoint_part(file, part)...}; },
        run.parts);
    // The last call that can throw; it changes nothing if it does.
    run.model.load_state_dict(file, "model.");
    std::apply([](auto&... set) { (set(), ...); }, setters);
  } catch (const ShapeError& error) {
    throw ShapeError(where + ": " + error.what());
  } catch (const Error& error) {
    throw FileError(where + ": " + error.what());
  }
}

}  // namespace ATTN_ABI
}  // namespace attn
