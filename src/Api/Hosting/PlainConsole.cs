using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Console formatter that escapes control characters, so that text from callers or workers can neither control the terminal nor
/// forge log lines.
/// </summary>
internal sealed class PlainConsole(ConsoleFormatter inner) : ConsoleFormatter(inner.Name), IDisposable
{
    /// <summary>Wraps the text formatters; the JSON formatter escapes already.</summary>
    public static void AddTo(IServiceCollection services)
    {
        for (var i = 0; i < services.Count; i++)
        {
            if (services[i] is { IsKeyedService: false, ImplementationType: { } type } formatter
                && formatter.ServiceType == typeof(ConsoleFormatter)
                && !type.Name.StartsWith("Json", StringComparison.Ordinal))
            {
                services[i] = ServiceDescriptor.Singleton<ConsoleFormatter>(
                    sp => new PlainConsole((ConsoleFormatter)ActivatorUtilities.CreateInstance(sp, type)));
            }
        }
    }

    public void Dispose() => (inner as IDisposable)?.Dispose();

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var (format, state, exception) = (logEntry.Formatter, logEntry.State, logEntry.Exception);
        var message = Clean(format is null ? state?.ToString() ?? "" : format(state, exception));
        if (exception is not null)
            message = message.Length > 0 ? $"{message}\n{Clean(exception.ToString())}" : Clean(exception.ToString());
        var entry = new LogEntry<string>(logEntry.LogLevel, logEntry.Category, logEntry.EventId, message, null, static (text, _) => text);
        inner.Write(entry, scopeProvider, textWriter);
    }

    /// <summary>Escapes invisible and direction-changing characters. Line feeds are kept, because the formatter handles them.</summary>
    internal static string Clean(string text)
    {
        if (!text.Any(IsHidden))
            return text;
        var clean = new StringBuilder(text.Length + 16);
        foreach (var c in text.Replace("\r\n", "\n", StringComparison.Ordinal))
        {
            if (IsHidden(c))
                clean.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}");
            else
                clean.Append(c);
        }

        return clean.ToString();
    }

    /// <summary>Control characters, other line breaks, and bidirectional marks.</summary>
    private static bool IsHidden(char c) =>
        (char.IsControl(c) && c is not '\n' and not '\t')
            || c is '\u2028' or '\u2029' or '\u061C' or '\u200E' or '\u200F' or (>= '\u202A' and <= '\u202E')
                or (>= '\u2066' and <= '\u2069');
}
