using System.CommandLine;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Hosting;
using TaskQueue.Engine;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>taskqueue [--roles …] [--urls …]</c>, <c>taskqueue migrate</c>, and the commands that call a running server.</summary>
internal static class EntryPoint
{
    private static readonly Option<string?> Roles = new("--roles")
    {
        Description = "Roles of this process: api,scheduler,consumers. Default: all.",
        Recursive = false,
    };
    private static readonly Option<string?> Urls = new("--urls") { Description = "Listen addresses. Default: http://localhost:8080." };

    private const string Help = "--help";

    /// <summary>How long a command may continue after Ctrl-C.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);

    public static async Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("TaskQueue: a durable distributed task queue. Without a command, runs the server.") { Roles, Urls };
        root.SetAction((parsed, cancellationToken) =>
            GuardAsync(() => ServeAsync(parsed.GetValue(Roles), parsed.GetValue(Urls), cancellationToken)));
        var migrate = new Command("migrate",
            "Migrates the database to the version of this program; safe to repeat.") { ServerOption.Json };
        migrate.SetAction((parsed, cancellationToken) =>
            GuardAsync(() => MigrateCommand.RunAsync(parsed.GetValue(ServerOption.Json), cancellationToken)));
        root.Add(migrate);
        var given = new Option<bool>("--stdin") { Description = "Read the key from standard input instead." };
        var hash = new Command("hash-key", "Generates an API key and prints it with its KeyHash.") { given };
        hash.SetAction((parsed, _) => GuardAsync(() => HashKeyCommand.RunAsync(parsed.GetValue(given))));
        root.Add(hash);
        var commands = ClientCommands();
        foreach (var command in commands)
            root.Add(command);

        string[] words = args is ["help", .. var about] ? [.. about, Help] : args;
        var result = Parse(root, words);
        var isHelp = words.Contains(Help, StringComparer.Ordinal);
        // Help needs no arguments, but an unknown command has none.
        var refused = !isHelp ? result : result.UnmatchedTokens.Count > 0 ? Parse(root, [.. words.Where(w => w != Help)]) : null;
        if (refused is { Errors.Count: > 0 })
        {
            await Console.Error.WriteLineAsync($"taskqueue: {Suggestion.Explain(refused)}");
            return ExitCode.Usage;
        }

        // The server handles signals itself.
        var isClient = commands.Contains(result.CommandResult.Command)
            || commands.Any(c => c.Subcommands.Contains(result.CommandResult.Command));
        return await result.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = isClient ? Farewell : null });
    }

    /// <summary>An argument starting with @ is data, not a response file.</summary>
    private static ParseResult Parse(RootCommand root, IReadOnlyList<string> words) =>
        root.Parse(words, new ParserConfiguration { ResponseFileTokenReplacer = null });

    private static Command[] ClientCommands() =>
    [
        QueueCommands.Queues(), EnqueueCommand.Create(), TailCommand.Create(), StatsCommand.Create(), TaskCommands.Show(),
        TaskCommands.Retry(), TaskCommands.Cancel(), WhyCommand.Create(), LogsCommand.Create(), FailureCommands.Create(),
        QueueCommands.Pause(), QueueCommands.Resume(), QueueCommands.Purge(), QuarantineCommands.Create(), MaintenanceCommands.Create(),
        QuotaCommand.Create(),
        KeyCommands.Keys(), AuditCommand.Create(), SearchCommand.Create(), WorkerCommands.Create(), StatisticsCommand.Create(),
        BatchCommands.Create(), ScheduleCommands.Create(), CallbackCommands.Create(),
        OperationCommands.Create(),
        SearchCommand.Tasks(),
    ];

    private static async Task<int> ServeAsync(string? roles, string? urls, CancellationToken cancellationToken)
    {
        var options = new ServerOptions(roles, urls);
        var app = Server.Build(options);
        await using (app)
        {
            PortCheck.Demand(app.Services.GetRequiredService<ListenAddresses>()); // before anything is touched
            Server.Announce(app, options);
            await StartupChecks.RunAsync(app.Services, cancellationToken);
            var drain = app.Services.GetRequiredService<Drain>();
            try
            {
                await app.StartAsync(CancellationToken.None); // the host handles signals
                Server.SayReady(app, options);
                await app.WaitForShutdownAsync(CancellationToken.None);
            }
            catch (Exception fault) when (drain.Cut.IsCancellationRequested && IsImpatience(fault))
            {
                Server.SayLate(app); // for example, the database does not answer; nothing accepted is lost
            }
        }

        return ExitCode.Done;
    }

    /// <summary>Whether the host gave up waiting for its services.</summary>
    private static bool IsImpatience(Exception fault) =>
        fault is OperationCanceledException || (fault is AggregateException many && many.InnerExceptions.All(IsImpatience));

    /// <summary>Reports a startup failure as one line on the error stream and exit code 1.</summary>
    private static async Task<int> GuardAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception fault) when (Explain(fault) is { } line)
        {
            await Console.Error.WriteLineAsync($"taskqueue: {line}");
            return ExitCode.Failed;
        }
    }

    private static string? Explain(Exception fault) =>
        fault switch
        {
            StartupException or FormatException => fault.Message,
            OptionsValidationException options => string.Join("; ", options.Failures.Select(OptionsProblems.Explain)),
            IOException when fault.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException => fault.Message,
            // The configuration binder found a value of the wrong type; its message names the key.
            InvalidOperationException { InnerException: ArgumentException or FormatException }
                when fault.Message.Contains("configuration value", StringComparison.Ordinal) =>
                OptionsProblems.ExplainConversion(fault.Message),
            AggregateException { InnerExceptions: [var single] } => Explain(single),
            _ => null,
        };
}
