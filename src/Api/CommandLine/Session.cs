using System.CommandLine;
using System.Text.Json;
using TaskQueue.Api.Hosting;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary>One run of a command: its server connection and its output.</summary>
internal sealed class Session : IAsyncDisposable
{
    /// <summary>The message of an answer without one of its own.</summary>
    private const string UnknownRoute = "Not Found";

    private readonly ServiceProvider _services;
    private readonly Uri _address;

    private Session(Uri address, string? key, bool json)
    {
        _services = new ServiceCollection().AddTaskQueueClient(options => (options.BaseAddress, options.ApiKey) = (address, key))
            .BuildServiceProvider();
        Client = _services.GetRequiredService<TaskQueueClient>();
        _address = address;
        HasKey = key is not null;
        Output = new Output(json);
    }

    public TaskQueueClient Client { get; }

    public Output Output { get; }

    private bool HasKey { get; }

    /// <summary>Creates a command that calls a server, with the common options.</summary>
    public static Command Command(string name, string description, Func<Session, ParseResult, CancellationToken, Task<int>> run,
        params Symbol[] symbols)
    {
        var command = new Command(name, description);
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Add(argument.RefuseOptions());
            else
                command.Add((Option)symbol);
        }

        foreach (var option in new Option[] { ServerOption.Server, ServerOption.Key, ServerOption.Json })
            command.Add(option);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, run, cancellationToken));
        return command;
    }

    /// <summary>Builds the path of a queue or a task, with an optional suffix.</summary>
    public static string Path(string kind, string name, string below = "") => $"/{kind}/{Uri.EscapeDataString(name)}{below}";

    public async Task<JsonElement> GetAsync(string path, CancellationToken cancellationToken) =>
        await Client.CallAsync(HttpMethod.Get, path, null, cancellationToken)
            ?? throw CommandException.Failed($"the server answered {path} with an empty response");

    public async Task<JsonElement> PostAsync(string path, JsonElement? body, CancellationToken cancellationToken) =>
        await Client.CallAsync(HttpMethod.Post, path, body, cancellationToken) ?? default;

    public async ValueTask DisposeAsync()
    {
        await Output.DisposeAsync();
        await _services.DisposeAsync();
    }

    /// <summary>Explains an error in one line, with the fix.</summary>
    public string Explain(TaskQueueException fault) =>
        fault.Status switch
        {
            0 when fault.InnerException is HttpRequestException =>
                $"{fault.Message}; set the server's address with --server or TASKQUEUE_SERVER",
            401 when HasKey => "the server refuses this key: it is unknown or has expired; set another one with TASKQUEUE_KEY or --key",
            401 => "the server requires an API key: set TASKQUEUE_KEY or use --key",
            404 when fault.Code is null => $"{fault.Message}; does a TaskQueue server of this version or later run there?",
            _ => fault.Message,
        };

    /// <summary>Explains a 404 of a process that does not know the route at all: by what it says that it is.</summary>
    private async Task<string> ExplainAsync(TaskQueueException fault, CancellationToken cancellationToken)
    {
        if (fault is not { Status: 404, Message: UnknownRoute })
            return Explain(fault);
        string[]? roles;
        try
        {
            roles = RolesOf(await Client.CallAsync(HttpMethod.Get, "/", null, cancellationToken));
        }
        catch (TaskQueueException)
        {
            roles = null;
        }

        return roles is null ? $"another program than TaskQueue answers at {_address}, or it is the address of TaskQueue:Operations:Urls: "
                + $"{fault.Message}; set the server's address with --server or TASKQUEUE_SERVER"
            : roles.Contains("api") ? $"the TaskQueue server at {_address} does not know this request: it has another version"
            : $"a TaskQueue process without the role api answers at {_address} (it has: {string.Join(", ", roles)}); set --server or "
                + "TASKQUEUE_SERVER to one with the role api";
    }

    /// <summary>The roles of a TaskQueue process by its answer to <c>GET /</c>; null for other programs.</summary>
    private static string[]? RolesOf(JsonElement? answer) =>
        answer is { ValueKind: JsonValueKind.Object } about
            && about.TryGetProperty("service", out var service) && service.ValueKind == JsonValueKind.String
            && service.GetString()!.StartsWith(RootPage.Name, StringComparison.Ordinal)
            && about.TryGetProperty("roles", out var roles) && roles.ValueKind == JsonValueKind.Array
            ? [.. roles.EnumerateArray().Where(role => role.ValueKind == JsonValueKind.String).Select(role => role.GetString()!)] : null;

    private static async Task<int> RunAsync(ParseResult parsed, Func<Session, ParseResult, CancellationToken, Task<int>> run,
        CancellationToken cancellationToken)
    {
        try
        {
            await using var session = new Session(ServerOption.Address(parsed), ServerOption.ApiKey(parsed),
                parsed.GetValue(ServerOption.Json));
            return await session.GuardAsync(parsed, run, cancellationToken);
        }
        catch (CommandException refused)
        {
            await Console.Error.WriteLineAsync($"taskqueue: {refused.Message}");
            return refused.ExitCode;
        }
    }

    private async Task<int> GuardAsync(ParseResult parsed, Func<Session, ParseResult, CancellationToken, Task<int>> run,
        CancellationToken cancellationToken)
    {
        try
        {
            return await run(this, parsed, cancellationToken);
        }
        catch (TaskQueueException fault)
        {
            throw CommandException.Failed(Output.Clean(await ExplainAsync(fault, cancellationToken)));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw CommandException.Failed("interrupted");
        }
        catch (BrokenOutputException)
        {
            return ExitCode.Done; // for example head, which closed the pipe
        }
    }
}
