using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;
using Spectre.Console.Rendering;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.CommandLine;

/// <summary>The reader of the output is gone.</summary>
internal sealed class BrokenOutputException(IOException inner) : Exception(inner.Message, inner);

/// <summary>Writes results to standard output, as text or JSON; everything else goes to the error stream.</summary>
internal sealed class Output : IAsyncDisposable
{
    private readonly TextWriter _out;

    public Output(bool json)
    {
        IsJson = json;
        _out = Console.IsOutputRedirected ? new StreamWriter(OpenPipe(), new UTF8Encoding(false)) : Console.Out;
        var isFile = Console.IsOutputRedirected;
        Screen = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(_out), Ansi = isFile ? AnsiSupport.No
            : AnsiSupport.Detect, ColorSystem = isFile ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect });
        if (isFile)
            Screen.Profile.Width = 1_000_000; // never wrap in files and pipes
        Progress = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
    }

    public bool IsJson { get; }

    /// <summary>Standard output, for tables.</summary>
    public IAnsiConsole Screen { get; }

    /// <summary>The error stream, for progress displays.</summary>
    public IAnsiConsole Progress { get; }

    /// <summary>Whether the error stream is a terminal.</summary>
    public bool ShowsProgress => !IsJson && !Console.IsErrorRedirected;

    /// <summary>Whether tables may be redrawn in place.</summary>
    public bool IsLive => !IsJson && !Console.IsOutputRedirected;

    /// <summary>Writes a JSON document.</summary>
    public void Json(JsonElement document) => Line(JsonSerializer.Serialize(document, JsonStyle.Options));

    /// <summary>Writes a JSON document.</summary>
    public void Json<T>(T document, JsonTypeInfo<T> type) => Line(JsonSerializer.Serialize(document, type));

    /// <summary>Writes a line and flushes.</summary>
    public void Line(string text) => Write(() => _out.WriteLine(text));

    public void Table(IRenderable table) => Write(() => Screen.Write(table));

    /// <summary>Writes a line to the error stream.</summary>
    public static void Error(string text) => Console.Error.WriteLine($"taskqueue: {Clean(text)}");

    /// <summary>Creates a table without borders, readable by people and by awk.</summary>
    public static Table NewTable(params string[] columns)
    {
        var table = new Table { Border = TableBorder.None };
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))) { NoWrap = true,
                Padding = new Padding(0, 0, 2, 0) });
        return table;
    }

    public static void AddRow(Table table, params string[] cells) => table.AddRow(cells.Select(c => new Text(Clean(c))));

    /// <summary>Removes terminal control codes from untrusted text.</summary>
    public static string Clean(string text) =>
        text.Any(char.IsControl)
            ? string.Concat(text.Select(c => c is '\n' or '\t' ? " " : char.IsControl(c) ? "\uFFFD" : c.ToString())) : text;

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _out.FlushAsync();
        }
        catch (IOException)
        {
            // The reader is gone.
        }
    }

    /// <summary>
    /// The console's own stream hides a closed pipe, so that an endless command would never stop. Files keep that stream, because
    /// their end moves if the error stream is redirected to the same file.
    /// </summary>
    private static Stream OpenPipe()
    {
        if (OperatingSystem.IsWindows())
            return Console.OpenStandardOutput();
        var direct = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return direct.CanSeek ? Console.OpenStandardOutput() : direct;
    }

    private void Write(Action write)
    {
        try
        {
            write();
            _out.Flush();
        }
        catch (IOException fault)
        {
            throw new BrokenOutputException(fault);
        }
    }
}
