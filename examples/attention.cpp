// Checks the equations of "Attention Is All You Need", one line each. Then draws what each word of
// a sentence attends to, and what a model that train_dates trained attends to in a date while it
// writes the date in ISO form.
//
//   attention [--sentence "..."] [--date "12 June 2017"] [--heads 4] [--seed 1]
//             [--output attention_visualization.png]
//
// Exit status: 0 if every check holds, 1 if one fails, 2 for input that cannot be used, with one
// sentence on standard error.

#include <iostream>
#include <iterator>

#include "checks.hpp"
#include "date_map.hpp"
#include "picture.hpp"
#include "program.hpp"
#include "read_date.hpp"
#include "speed.hpp"
#include "words.hpp"

int main(int argc, char** argv) {
  std::string sentence =
      "The Law will never be perfect , but its application should be just - this is what we are "
      "missing , in my opinion .";  // [Vaswani17 Fig.4]
  std::string date = "12 June 2017", output = "attention_visualization.png";
  attn::Index heads = 4;
  std::uint64_t seed = 1;
  CLI::App app{
      "Checks the equations of \"Attention Is All You Need\" and draws what each word of a "
      "sentence "
      "attends to."};
  app.add_option("--sentence", sentence, "1 to 60 words, or - to read them from standard input");
  app.add_option("--date", date, "a date from 1900 to 2099, in any usual form")
      ->capture_default_str();
  app.add_option("--heads", heads, "heads of the multi-head layer, 1 to 16")->capture_default_str();
  app.add_option("--seed", seed, "seed of the embeddings and weights")
      ->check(not_negative)
      ->capture_default_str();
  app.add_option("--output", output, "file of the picture, PNG")->capture_default_str();
  return run_program("attention", app, argc, argv, [&] {
    if (heads < 1 || heads > 16)
      throw std::invalid_argument("--heads = " + std::to_string(heads) + " must be from 1 to 16");
    if (sentence == "-") sentence.assign(std::istreambuf_iterator<char>(std::cin), {});
    const std::vector<std::string> words = words_of(sentence);
    const std::string expected = iso(read_date(date));
    const DateModel model = load_date_model(ATTN_EXAMPLES_DATA "/dates.safetensors");

    const bool all_hold = check_equations(ATTN_EXAMPLES_DATA "/attention_cases.safetensors");
    attn::plot::Figure figure = picture(words, heads, seed);
    const DateMap map = date_map(model, tidied(date));
    figure.panels.push_back(date_panel(map, "Cross-attention, trained to write dates"));
    figure.save(output);
    std::cout << "the trained model writes \"" << map.read << "\" as " << map.written
              << (map.written == expected ? "" : ", but it is " + expected) << '\n';
    print_speed();
    std::cout << "wrote " << output << '\n';
    return all_hold ? 0 : 1;
  });
}
