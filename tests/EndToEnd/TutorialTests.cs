using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.Deployment;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>docs/tutorial.md, typed into a shell: its program, a fresh project with the package, and its commands in their order.</summary>
[Collection(PackagesCollection.Name)]
public sealed partial class TutorialTests(PackedPackages packages, SqliteStack stack) : IClassFixture<SqliteStack>
{
    private const string Page = "tutorial.md";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Commands that only read, and whose answer becomes what the page shows.</summary>
    private static readonly string[] Reading = ["taskqueue show ", "taskqueue why ", "taskqueue tasks ", "taskqueue schedules "];

    [Fact]
    public void It_installs_what_the_page_about_packages_installs()
    {
        var known = File.ReadAllText(Repository.FileAt("docs", "packages.md"));
        var lines = Fences.Of(Page, "bash").SelectMany(b => b.Split('\n', StringSplitOptions.RemoveEmptyEntries)).ToList();

        lines.Count.ShouldBeGreaterThan(5);
        lines.ShouldAllBe(line => known.Contains(line.Replace("Shop", "Hello", StringComparison.Ordinal), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Its_program_and_its_commands_answer_as_it_shows()
    {
        var program = await packages.BuiltConsumerAsync(PackageConsumers.Tutorial);
        using var worker = Start(program, "exec \"$SDK\" \"$PROGRAM\"");
        var (steps, id) = (Steps(), "");

        steps.Count.ShouldBeGreaterThan(12);
        foreach (var (command, lines) in steps)
        {
            var (line, shown) = (IdWord().Replace(command, id), string.Join('\n', lines));
            var (exitCode, output) = await RunAsync(program, line);
            if (Array.Exists(Reading, r => line.StartsWith(r, StringComparison.Ordinal)))
            {
                await Eventually.UntilAsync(
                    async () =>
                    {
                        if (IsShown(output, shown))
                            return true;
                        (exitCode, output) = await RunAsync(program, line);
                        return false;
                    },
                    Patience, () => $"{line}\nanswers\n{shown}\nand not\n{output}\nworker:\n{worker.Output}");
            }

            IsShown(output, shown).ShouldBeTrue($"{line}\nanswers\n{output}\nand not\n{shown}\nworker:\n{worker.Output}");
            exitCode.ShouldBe(shown.StartsWith("taskqueue: ", StringComparison.Ordinal) ? 1 : 0, line);
            if (AnyId().Match(output) is { Success: true } match)
                id = match.Value;
        }
    }

    /// <summary>The commands of the page, with the lines that they answer.</summary>
    private static List<(string Command, List<string> Lines)> Steps()
    {
        var steps = new List<(string Command, List<string> Lines)>();
        foreach (var line in Fences.Of(Page, "console").SelectMany(b => b.Split('\n', StringSplitOptions.RemoveEmptyEntries)))
        {
            if (line.StartsWith("$ ", StringComparison.Ordinal))
                steps.Add((line[2..], []));
            else
                steps[^1].Lines.Add(line);
        }

        return steps;
    }

    /// <summary>Whether an output is as shown, where <c>…</c> is any text and the number of spaces does not count.</summary>
    private static bool IsShown(string output, string shown)
    {
        var (text, pieces) = (Flat(output), Flat(shown).Split('…').Select(p => p.Trim()).ToList());
        if (pieces.Count == 1)
            return text == pieces[0];
        if (!text.StartsWith(pieces[0], StringComparison.Ordinal) || !text.EndsWith(pieces[^1], StringComparison.Ordinal))
            return false;
        var at = 0;
        foreach (var piece in pieces)
        {
            var found = text.IndexOf(piece, at, StringComparison.Ordinal);
            if (found < 0)
                return false;
            at = found + piece.Length;
        }

        return true;
    }

    private static string Flat(string text) =>
        string.Join('\n', text.Split('\n').Select(l => string.Join(' ', l.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)))
            .Where(l => l.Length > 0));

    private async Task<(int ExitCode, string Output)> RunAsync(string program, string line)
    {
        using var shell = Start(program, line);
        var exitCode = await shell.WaitAsync(Patience);
        return (exitCode, string.Join('\n', shell.Results.Concat(shell.Errors)));
    }

    /// <summary>Starts a line of the page, in the folder of the program, with the tool and the SDK as they are here.</summary>
    private Command Start(string program, string line) =>
        new("bash", ["-c", $$"""
            cd "$FOLDER" || exit
            taskqueue() { command "$SDK" "$TOOL" "$@"; }
            dotnet() { command "$SDK" "$PROGRAM" "${@:3}"; }
            {{line}}
            """],
            new Dictionary<string, string>(CommandRun.Environment(stack.Http.BaseAddress!))
            {
                ["FOLDER"] = packages.FolderOf("consumers", PackageConsumers.Tutorial), ["PROGRAM"] = program,
                ["SDK"] = PackedPackages.Dotnet, ["TOOL"] = Path.Combine(AppContext.BaseDirectory, "taskqueue.dll"),
            });

    [GeneratedRegex(@"\bID\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex IdWord();

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AnyId();
}
