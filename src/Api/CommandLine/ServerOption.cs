using System.CommandLine;

namespace TaskQueue.Api.CommandLine;

/// <summary>Options of every command that calls a server.</summary>
internal static class ServerOption
{
    private const string Default = "http://localhost:8080";

    public static readonly Option<string?> Server = new("--server")
    {
        Description = $"Address of the server. Default: TASKQUEUE_SERVER, else {Default}.",
        HelpName = "URL",
    };
    public static readonly Option<string?> Key = new("--key")
    {
        Description = "API key. Default: TASKQUEUE_KEY, which other users of the machine cannot see in the process list.",
        HelpName = "KEY",
    };
    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Write JSON for programs: one document, or one per line for endless output.",
    };

    /// <exception cref="CommandException">The address is invalid.</exception>
    public static Uri Address(ParseResult parsed)
    {
        var text = parsed.GetValue(Server) ?? Variable("TASKQUEUE_SERVER") ?? Default;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
            throw CommandException.Usage($"'{text}' is not a server address; --server or TASKQUEUE_SERVER must be like {Default}");
        if (url.UserInfo.Length > 0)
            throw CommandException.Usage("the server address must not contain a user or a password; put the key into TASKQUEUE_KEY");
        return url;
    }

    /// <exception cref="CommandException">The key contains characters that cannot be sent.</exception>
    public static string? ApiKey(ParseResult parsed)
    {
        var key = parsed.GetValue(Key) ?? Variable("TASKQUEUE_KEY");
        return key is null || key.All(c => c is > ' ' and < '\x7f') ? key
            : throw CommandException.Usage("the API key (TASKQUEUE_KEY or --key) contains white space or an invalid character");
    }

    /// <summary>Rejects values that look like options: a misspelled option would be taken as the name of a queue or a task.</summary>
    public static Argument RefuseOptions(this Argument argument)
    {
        argument.Validators.Add(result =>
        {
            if (result.Tokens.Select(t => t.Value)
                .FirstOrDefault(v => v.Length > 1 && v[0] == '-' && !char.IsAsciiDigit(v[1])) is { } option)
                result.AddError($"Unrecognized option '{option}'.");
        });
        return argument;
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}

/// <summary>Exit codes.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>Refused, or failed.</summary>
    public const int Failed = 1;

    /// <summary>The command line is invalid; no request was sent.</summary>
    public const int Usage = 2;
}

/// <summary>Ends a command with a line on the error stream.</summary>
internal sealed class CommandException(string message, int exitCode) : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    public static CommandException Usage(string message) => new(message, CommandLine.ExitCode.Usage);

    public static CommandException Failed(string message) => new(message, CommandLine.ExitCode.Failed);
}
