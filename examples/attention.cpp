// Checks the equations of "Attention Is All You Need", one line each, then draws where each word of a sentence attends.
//
//   attention [--sentence "..."] [--heads 4] [--seed 1] [--output attention_visualization.png]
//
// Exit status: 0 if every check held, 1 if one failed, 2 for input that cannot be used, with one sentence on standard error.

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>

#include "checks.hpp"
#include "picture.hpp"
#include "words.hpp"

int main(int argc, char** argv) {
  std::string sentence = "The Law will never be perfect , but its application should be just - this is what we are missing , in my opinion .";  // [Vaswani17 Fig.4]
  std::string output = "attention_visualization.png";
  attn::Index heads = 4;
  std::uint64_t seed = 1;
  CLI::App app{"Checks the equations of \"Attention Is All You Need\" and draws where each word of a sentence attends."};
  app.add_option("--sentence", sentence, "1 to 60 words, or - to read them from standard input");
  app.add_option("--heads", heads, "heads of the multi-head layer, 1 to 16")->capture_default_str();
  app.add_option("--seed", seed, "of the embeddings and weights")->capture_default_str();
  app.add_option("--output", output, "the picture, a PNG file")->capture_default_str();
  try {
    app.parse(argc, argv);
    if (heads < 1 || heads > 16) throw std::invalid_argument("--heads = " + std::to_string(heads) + " must be from 1 to 16");
    if (sentence == "-") sentence.assign(std::istreambuf_iterator<char>(std::cin), {});
    const std::vector<std::string> words = words_of(sentence);

    const bool all_hold = check_equations(ATTN_TESTS_DATA "/attention_cases.safetensors");
    picture(words, heads, seed).save(output);
    std::cout << "wrote " << output << '\n';
    return all_hold ? 0 : 1;
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "attention: " << error.what() << '\n';
    return 2;
  }
}
