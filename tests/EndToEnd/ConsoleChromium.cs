using Microsoft.Playwright;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A browser for the tests of a class. It is that of the system: the package's own is not downloaded.</summary>
public sealed class ConsoleChromium : IAsyncLifetime
{
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    public async Task InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Environment.GetEnvironmentVariable("TASKQUEUE_TEST_CHROMIUM") ?? "/usr/bin/chromium",
            Args = ["--no-sandbox", "--disable-dev-shm-usage", "--lang=en-US"],
        });
    }

    public async Task DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }

    /// <summary>Opens a tab with cookies of its own.</summary>
    /// <param name="server">Address of the server, up to the slash before <c>console/</c>.</param>
    /// <param name="options">What the tab is like.</param>
    internal Task<ConsoleTab> TabAsync(Uri server, BrowserNewContextOptions? options = null) =>
        ConsoleTab.OpenAsync(_browser, server, options ?? new BrowserNewContextOptions());
}
