#pragma once

#include <attn/io/checkpoint_options.hpp>
#include <attn/io/checkpoint_parts.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

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

/// Adds the entries of the model and the parts to the writer, and returns the metadata.
/// `save_part(writer, part)` adds those of a part.
template <class Run, class SavePart>
std::map<std::string, std::string> save_checkpoint_to(SafeTensorsWriter& writer, const Run& run,
                                                      const SavePart& save_part) {
  for (const auto& p : std::as_const(run.model).parameters())
    writer.add("model." + p.name, p.shape, p.value);
  std::map<std::string, std::string> metadata = checkpoint_kinds(run);
  const auto add = [&]<class Part>(const Part& part) {
    save_part(writer, part);
    if constexpr (has_options<Part>)
      metadata[groups_key<Part>()] = to_json_text(part.parameter_groups());
  };
  std::apply([&](const auto&... part) { (add(part), ...); }, run.parts);
  return metadata;
}

/// Calls f; a sentence of an error that it throws is made to begin with the file, `where`.
template <class F>
decltype(auto) with_file_in_errors(const std::string& where, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const ShapeError& error) {
    throw ShapeError(where + ": " + error.what());
  } catch (const Error& error) {
    throw FileError(where + ": " + error.what());
  }
}

/// Checks that the file is one of the run, and reads the parts; the result are functions that set
/// them and cannot fail.
template <class Run>
auto read_checkpoint(const SafeTensors& file, const Run& run, ChangedOptions changed_options,
                     const std::string& where) {
  expect_kinds(file, run, where);
  expect_entry_types(file, run, where);
  if (changed_options == ChangedOptions::refuse) expect_same_options(file, run.parts, where);
  return with_file_in_errors(where, [&] {
    return std::apply(
        [&](auto&... part) { return std::tuple{read_checkpoint_part(file, part)...}; }, run.parts);
  });
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
  const auto save_part = [](SafeTensorsWriter& to, const auto& part) {
    detail::save_checkpoint_part(to, part);
  };
  const auto metadata = detail::save_checkpoint_to(writer, run, save_part);
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
  auto setters = detail::read_checkpoint(file, run, changed_options, where);
  // The last call that can throw; it changes nothing if it does.
  detail::with_file_in_errors(where, [&] { run.model.load_state_dict(file, "model."); });
  std::apply([](auto&... set) { (set(), ...); }, setters);
}

}  // namespace ATTN_ABI
}  // namespace attn
