using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A run of the command line that has ended.</summary>
/// <param name="ExitCode">0, 1 or 2.</param>
/// <param name="Lines">Standard output.</param>
/// <param name="Errors">Standard error.</param>
internal sealed record CommandRun(int ExitCode, IReadOnlyList<string> Lines, IReadOnlyList<string> Errors)
{
    /// <summary>Standard output as the one JSON document that it must be.</summary>
    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Lines.ShouldHaveSingleItem());

    public string Text => string.Join('\n', Lines);

    public string All => string.Join('\n', Lines.Concat(Errors));

    /// <summary>Runs <c>taskqueue</c> against a server until it exits.</summary>
    public static async Task<CommandRun> OfAsync(Uri server, string[] args, string? input = null, string? key = null)
    {
        using var command = TaskQueueProcess.StartCommand(args, Environment(server, key), input);
        var exitCode = await command.WaitAsync(TimeSpan.FromSeconds(60));
        return new CommandRun(exitCode, command.Results, command.Errors);
    }

    public static Dictionary<string, string> Environment(Uri server, string? key = null) =>
        new() { ["TASKQUEUE_SERVER"] = server.ToString(), ["TASKQUEUE_KEY"] = key ?? "" };

    /// <summary>It succeeded, without output on standard error.</summary>
    public CommandRun Done()
    {
        ExitCode.ShouldBe(0, All);
        Errors.ShouldBeEmpty();
        return this;
    }

    /// <summary>It was refused with one line.</summary>
    public CommandRun Refused(int exitCode, params string[] words)
    {
        ExitCode.ShouldBe(exitCode, All);
        var line = Errors.ShouldHaveSingleItem();
        line.ShouldStartWith("taskqueue: ");
        foreach (var word in words)
            line.ShouldContain(word, Case.Sensitive);
        return this;
    }

    /// <summary>The cells of the line that starts with a word.</summary>
    public string[] Row(string first) => Lines.Single(l => l.Split(' ')[0] == first).Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
