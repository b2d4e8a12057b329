package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"iqgateway/internal/goldentest"
)

// everyCommand calls visit with each command that people see, in the order of
// their names.
func everyCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			everyCommand(sub, visit)
		}
	}
}

// wholeCommandLine is the command line with what cobra adds to it.
func wholeCommandLine() *cobra.Command {
	root := program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}.rootCommand()
	root.InitDefaultCompletionCmd("version")
	return root
}

// TestDocsCommands keeps docs/commands.md what `--help` says.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("# Commands\n\nMade of the program's own help by `make docs`.\n")
	everyCommand(wholeCommandLine(), func(c *cobra.Command) { writeCommand(&text, c) })
	goldentest.Compare(t, filepath.Join("..", "..", "docs", "commands.md"), text.String())
}

func writeCommand(w io.Writer, c *cobra.Command) {
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	fmt.Fprintf(w, "\n## %s\n\n```text\n%s\n```\n", c.CommandPath(), strings.TrimSpace(about))
	if c.Runnable() && !c.HasSubCommands() {
		fmt.Fprintf(w, "\nUsage: `%s`\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n\n```text\n%s\n```\n", strings.TrimRight(c.Example, "\n"))
	}
	if c.HasAvailableLocalFlags() {
		fmt.Fprintf(w, "\nFlags:\n\n```text\n%s\n```\n", strings.TrimRight(c.LocalFlags().FlagUsages(), "\n"))
	}
}

// Every command that does something shows how, and its examples are command
// lines that it takes.
func TestCommandsTeach(t *testing.T) {
	t.Parallel()
	taken := 0
	everyCommand(wholeCommandLine(), func(c *cobra.Command) {
		if strings.Contains(c.CommandPath(), " completion") || c.HasSubCommands() || !c.Runnable() {
			return
		}
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: it needs a Short and an Example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			words := exampleWords(line)
			if len(words) == 0 || words[0] != "gateway" {
				continue
			}
			if err := takes(words[1:]); err != nil {
				t.Errorf("%s: its example %q: %v", c.CommandPath(), strings.TrimSpace(line), err)
			}
			taken++
		}
	})
	if taken < 40 {
		t.Errorf("%d examples found", taken)
	}
}

// exampleWords are the words of a line as a shell reads them, up to a comment, a
// pipe or a redirection.
func exampleWords(line string) []string {
	var words []string
	var word strings.Builder
	quote, inWord := rune(0), false
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for _, r := range strings.TrimSpace(line) {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ':
			end()
		case r == '>' && word.String() == "2": // standard error
			return words
		case !inWord && strings.ContainsRune("#|><", r):
			return words
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	end()
	return words
}

// takes reports what is wrong with a command line, without running it.
func takes(args []string) error {
	cmd, rest, err := wholeCommandLine().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}
