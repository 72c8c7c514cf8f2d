using System.Globalization;
using System.Text.Json;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Soak;

/// <summary>A Chromium in which somebody looks at the console during the run.</summary>
internal sealed class SoakBrowser : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60), Pause = TimeSpan.FromMilliseconds(200);

    private readonly ChildProcess _process;

    private SoakBrowser(ChildProcess process) => _process = process;

    /// <summary>Opens a page of the console.</summary>
    /// <param name="page">The page.</param>
    /// <param name="title">Its title, by which it is known that its program runs.</param>
    /// <param name="scratch">A folder for the browser's profile.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<SoakBrowser> OpenAsync(Uri page, string title, string scratch, CancellationToken cancellationToken)
    {
        var profile = Directory.CreateDirectory(Path.Combine(scratch, "browser")).FullName;
        var browser = new SoakBrowser(ChildProcess.Start("chromium",
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0",
                $"--user-data-dir={profile}", "--window-size=1400,900", page.ToString()]));
        try
        {
            using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            late.CancelAfter(Patience);
            while (!await ShowsAsync(Path.Combine(profile, "DevToolsActivePort"), title, late.Token))
                await Task.Delay(Pause, late.Token);
            return browser;
        }
        catch
        {
            browser.Dispose();
            throw;
        }
    }

    /// <summary>Memory of all its processes in megabytes (10^6 bytes); of what they share, each has its part.</summary>
    /// <exception cref="BenchException">It shows nothing any more.</exception>
    public double ReadMegabytes() =>
        CpuTime.Tree(_process.Id) is var all && all.Any(IsPage) ? all.Sum(Share)
            : throw new BenchException("the browser, or its page, has ended");

    public void Dispose() => _process.Dispose();

    private static async Task<bool> ShowsAsync(string port, string title, CancellationToken cancellationToken)
    {
        if (!File.Exists(port) || (await File.ReadAllLinesAsync(port, cancellationToken)) is not [var number, ..])
            return false;
        try
        {
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            var pages = await http.GetStringAsync(new Uri($"http://127.0.0.1:{number}/json/list"), cancellationToken);
            using var list = JsonDocument.Parse(pages);
            return list.RootElement.EnumerateArray().Any(p => p.GetProperty("title").GetString() == title);
        }
        catch (Exception fault) when (fault is HttpRequestException or UriFormatException)
        {
            return false; // not yet
        }
    }

    private static bool IsPage(int process) =>
        Read($"/proc/{process}/cmdline").Any(l => l.Contains("--type=renderer", StringComparison.Ordinal));

    private static double Share(int process) =>
        Read($"/proc/{process}/smaps_rollup").FirstOrDefault(l => l.StartsWith("Pss:", StringComparison.Ordinal)) is { } line
            ? long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024 / 1e6 : 0;

    /// <summary>The lines of a file of a process; none if it has just ended.</summary>
    private static string[] Read(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
