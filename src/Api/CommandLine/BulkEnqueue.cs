using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Spectre.Console;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary>
/// Enqueues the lines of a file in chunks that are accepted as a whole. A refused line is reported and skipped, and the rest of its
/// chunk is resent; with --stop-on-error it ends the command after all lines before it are accepted.
/// </summary>
internal sealed partial class BulkEnqueue
{
    private const int MaxTasks = 1000;
    private const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>Maximum number of refused lines reported; further ones are only counted, to bound memory.</summary>
    private const int MaxErrors = 100;

    private readonly Session _session;
    private readonly TaskLine _lines;
    private readonly bool _stopsOnError;
    private readonly Action<string> _say;
    private readonly List<TaskLine.Ready> _chunk = [];
    private readonly JsonArray _errors = [];
    private int _bytes;
    private string? _failure;
    private long _read, _accepted, _updated, _duplicate, _refused, _settled;

    private BulkEnqueue(Session session, JsonObject defaults, bool stopsOnError, Action<string> say) =>
        (_session, _lines, _stopsOnError, _say) = (session, new TaskLine(defaults), stopsOnError, say);

    private bool IsOver => _stopsOnError && _refused > 0;

    public static async Task<int> RunAsync(Session session, string path, JsonObject defaults, bool stopsOnError,
        CancellationToken cancellationToken)
    {
        await using var file = Open(path);
        if (!session.Output.ShowsProgress)
        {
            var quiet = new BulkEnqueue(session, defaults, stopsOnError, Output.Error);
            await quiet.ReadAsync(file, (_, _) => { }, cancellationToken);
            return quiet.Report();
        }

        var screen = session.Output.Progress;
        var shown = new BulkEnqueue(session, defaults, stopsOnError, text => screen.WriteLine($"taskqueue: {Output.Clean(text)}"));
        await screen.Progress().AutoClear(true).StartAsync(progress => shown.ReadAsync(file, Bar(progress, file), cancellationToken));
        return shown.Report();
    }

    private static Action<long, long> Bar(ProgressContext progress, Stream file)
    {
        var bar = progress.AddTask("0 lines", maxValue: file.CanSeek ? Math.Max(1, file.Length) : 1);
        bar.IsIndeterminate = !file.CanSeek;
        return (bytes, lines) =>
        {
            bar.Description = $"{lines} lines";
            if (file.CanSeek)
                bar.Value = bytes;
        };
    }

    private static Stream Open(string path)
    {
        try
        {
            return path == "-" ? Console.OpenStandardInput() : File.OpenRead(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw CommandException.Failed($"cannot read {path}: {fault.Message}");
        }
    }

    private async Task ReadAsync(Stream file, Action<long, long> progress, CancellationToken cancellationToken)
    {
        try
        {
            long bytes = 0;
            await foreach (var line in JsonLines.ReadAsync(file, cancellationToken))
            {
                bytes += line.Length;
                await TakeAsync(line, cancellationToken);
                if (_chunk.Count == 0)
                    progress(bytes, _read);
                if (IsOver)
                    break;
            }

            await FlushAsync(cancellationToken);
        }
        catch (Exception fault) when (fault is TaskQueueException or IOException or OperationCanceledException)
        {
            _failure = fault switch { TaskQueueException refused => _session.Explain(refused), OperationCanceledException =>
                "interrupted", _ => fault.Message };
        }
    }

    private async Task TakeAsync(FileLine line, CancellationToken cancellationToken)
    {
        _read = line.Number;
        if (TaskLine.IsBlank(line))
            return;
        try
        {
            var ready = _lines.Read(line);
            if (_bytes + ready.Json.Length > MaxBytes)
                await FlushAsync(cancellationToken);
            if (IsOver)
                return;
            _chunk.Add(ready);
            _bytes += ready.Json.Length;
        }
        catch (FormatException fault)
        {
            if (_stopsOnError)
                await FlushAsync(cancellationToken);
            if (!IsOver)
                Refuse(line.Number, fault.Message);
            return;
        }

        if (_chunk.Count == MaxTasks)
            await FlushAsync(cancellationToken);
    }

    /// <summary>Sends the collected lines, removing refused ones, until the rest is accepted.</summary>
    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        while (_chunk.Count > 0)
        {
            try
            {
                Count(await IdempotentRetry.PostAsync(_session, "/tasks/bulk", Body(), cancellationToken));
                _settled = _chunk[^1].Number;
                Clear(0);
            }
            catch (TaskQueueException fault) when (Culprit(fault) is var (index, message) && index < _chunk.Count)
            {
                Refuse(_chunk[index].Number, message);
                if (_stopsOnError)
                    Clear(index);
                else
                    _chunk.RemoveAt(index);
            }
        }

        _bytes = 0;
    }

    private void Clear(int from) => _chunk.RemoveRange(from, _chunk.Count - from);

    private JsonElement Body()
    {
        var body = new MemoryStream();
        body.Write("{\"tasks\":["u8);
        for (var i = 0; i < _chunk.Count; i++)
        {
            if (i > 0)
                body.WriteByte((byte)',');
            body.Write(_chunk[i].Json);
        }

        body.Write("]}"u8);
        return JsonSerializer.Deserialize<JsonElement>(body.GetBuffer().AsSpan(0, (int)body.Length));
    }

    private void Count(JsonElement answer)
    {
        foreach (var (line, id, result) in _chunk.Zip(answer.GetProperty("ids").EnumerateArray(), answer.GetProperty("results")
            .EnumerateArray()))
        {
            // An id generated here can only be a duplicate of an earlier try whose response was lost.
            var isMine = line.MadeId is { } made && id.GetGuid() == made;
            _ = result.GetString() switch
            {
                "updated" => _updated++,
                "duplicate" when !isMine => _duplicate++,
                _ => _accepted++,
            };
        }
    }

    private void Refuse(long number, string message)
    {
        _refused++;
        if (_refused <= MaxErrors)
        {
            _errors.Add(new JsonObject { ["line"] = number, ["error"] = message });
            _say($"line {number}: {message}");
        }
        else if (_refused == MaxErrors + 1)
        {
            _say("further refused lines are only counted");
        }
    }

    private int Report()
    {
        if (_failure is not null)
            Output.Error($"{_failure}; lines 1 to {_settled} are done, it is unknown whether lines from {_settled + 1} on were accepted");
        if (_session.Output.IsJson)
        {
            var document = new JsonObject { ["lines"] = _read, ["accepted"] = _accepted, ["updated"] = _updated,
                ["duplicate"] = _duplicate, ["refused"] = _refused, ["errors"] = _errors };
            if (_failure is not null)
                (document["failure"], document["done_to_line"]) = (_failure, _settled);
            _session.Output.Json(JsonSerializer.SerializeToElement(document));
        }
        else
        {
            _session.Output.Line($"{_accepted} accepted, {_updated} updated, {_duplicate} duplicate, {_refused} refused");
        }

        return _refused == 0 && _failure is null ? ExitCode.Done : ExitCode.Failed;
    }

    /// <summary>The task refused by the server, and why; null if the error is not about a single task.</summary>
    private (int Index, string Message)? Culprit(TaskQueueException fault)
    {
        if (fault.Status is < 400 or >= 500)
            return null;
        if (About().Match(fault.Message) is { Success: true } match)
            return (int.Parse(match.Groups["index"].ValueSpan, CultureInfo.InvariantCulture), match.Groups["why"].Value);
        return fault.Status == 413 && _chunk.Count == 1 ? (0, fault.Message) : null;
    }

    [GeneratedRegex(@"^tasks\[(?<index>\d{1,4})\]: (?<why>.*)$", RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex About();
}
