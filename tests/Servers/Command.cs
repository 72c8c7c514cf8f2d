using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace TaskQueue.Tests.Servers;

/// <summary>Another operating system process, with its output so far.</summary>
internal sealed class Command : IDisposable
{
    private const int SigTerm = 15;
    private readonly Process process;
    private readonly ConcurrentQueue<string> lines = new();
    private readonly ConcurrentQueue<string> results = new();
    private readonly ConcurrentQueue<string> errors = new();

    /// <param name="file">The program.</param>
    /// <param name="args">Its arguments.</param>
    /// <param name="environment">Added to this process's own.</param>
    /// <param name="input">What it reads from standard input; null leaves it as this process's own.</param>
    public Command(string file, IEnumerable<string> args, IReadOnlyDictionary<string, string>? environment = null, string? input = null)
    {
        var info = new ProcessStartInfo(file, args)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = input is not null,
            WorkingDirectory = AppContext.BaseDirectory,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            info.Environment[name] = value;
        }

        process = new Process { StartInfo = info };
        process.OutputDataReceived += (_, line) => Received(line, results);
        process.ErrorDataReceived += (_, line) => Received(line, errors);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (input is not null)
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    public int ExitCode => process.ExitCode;

    public IReadOnlyList<string> Lines => [.. lines];

    public string Output => string.Join('\n', lines);

    /// <summary>Standard output alone.</summary>
    public IReadOnlyList<string> Results => [.. results];

    /// <summary>Standard error alone.</summary>
    public IReadOnlyList<string> Errors => [.. errors];

    /// <summary>Waits until the process has exited and all of its output has arrived; kills it after the deadline.</summary>
    public async Task<int> WaitAsync(TimeSpan deadline)
    {
        using var timeout = new CancellationTokenSource(deadline);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
            return process.ExitCode;
        }
        catch (OperationCanceledException exception)
        {
            Kill();
            throw new TimeoutException(
                $"{process.StartInfo.FileName} did not exit within {deadline.TotalSeconds:0.###} s:\n{Output}", exception);
        }
    }

    /// <summary>SIGTERM: the process is asked to stop.</summary>
    public void Terminate()
    {
        if (SendSignal(process.Id, SigTerm) != 0)
        {
            throw new InvalidOperationException($"{process.StartInfo.FileName} is no longer running:\n{Output}");
        }
    }

    /// <summary>SIGKILL: the process has no chance to clean up.</summary>
    public void Kill()
    {
        process.Kill();
        process.WaitForExit(TimeSpan.FromSeconds(10));
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            Kill();
        }

        process.Dispose();
    }

    private void Received(DataReceivedEventArgs line, ConcurrentQueue<string> stream)
    {
        if (line.Data is not null)
        {
            lines.Enqueue(line.Data);
            stream.Enqueue(line.Data);
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int processId, int signal);
}
