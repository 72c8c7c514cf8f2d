using System.CommandLine;
using Microsoft.Extensions.Options;

namespace TaskQueue.Api.Hosting;

/// <summary><c>taskqueue [--roles …] [--urls …]</c> and <c>taskqueue migrate</c>.</summary>
internal static class CommandLine
{
    private static readonly Option<string?> Roles = new("--roles") { Description = "What this process does: api,scheduler,consumers. Default: all.", Recursive = false };
    private static readonly Option<string?> Urls = new("--urls") { Description = "Where to listen. Default: http://localhost:8080." };

    public static async Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("TaskQueue: a durable distributed task queue.") { Roles, Urls };
        root.SetAction((parsed, stop) => GuardAsync(() => ServeAsync(parsed.GetValue(Roles), parsed.GetValue(Urls), stop)));
        var migrate = new Command("migrate", "Brings the database to the version of this program; safe to run again.");
        migrate.SetAction((_, stop) => GuardAsync(() => MigrateCommand.RunAsync(stop)));
        root.Add(migrate);
        var given = new Option<bool>("--stdin") { Description = "Read the key from standard input instead." };
        var hash = new Command("hash-key", "Makes an API key and prints it with its KeyHash.") { given };
        hash.SetAction((parsed, _) => GuardAsync(() => HashKeyCommand.RunAsync(parsed.GetValue(given))));
        root.Add(hash);

        var result = root.Parse(args);
        if (result.Errors.Count == 0)
            return await result.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
        await Console.Error.WriteLineAsync($"taskqueue: {result.Errors[0].Message}");
        return 1;
    }

    private static async Task<int> ServeAsync(string? roles, string? urls, CancellationToken stop)
    {
        var options = new ServerOptions(roles, urls);
        var app = Server.Build(options);
        await using (app)
        {
            Server.Announce(app, options);
            await StartupChecks.RunAsync(app.Services, stop);
            await app.RunAsync();
        }

        return 0;
    }

    /// <summary>What keeps a process from starting is one line on the error stream and exit code 1.</summary>
    private static async Task<int> GuardAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception fault) when (Explain(fault) is { } line)
        {
            await Console.Error.WriteLineAsync($"taskqueue: {line}");
            return 1;
        }
    }

    private static string? Explain(Exception fault) =>
        fault switch
        {
            StartupException or FormatException => fault.Message,
            OptionsValidationException options => string.Join("; ", options.Failures),
            IOException when fault.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException => fault.Message,
            // The configuration binder met a value of the wrong type; it names the key.
            InvalidOperationException { InnerException: ArgumentException or FormatException } when fault.Message.Contains("configuration value", StringComparison.Ordinal) => fault.Message,
            AggregateException { InnerExceptions: [var single] } => Explain(single),
            _ => null,
        };
}
