using System.Collections.Concurrent;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A tab of the console: what it reports as errors is kept.</summary>
internal sealed class ConsoleTab : IAsyncDisposable
{
    /// <summary>A browser on a busy machine may take long to draw a page.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Buttons and fields that change something.</summary>
    public const string Changes = "main .head .actions button, main .row-actions button, main .bulk, main td input[type=checkbox], "
        + "main fieldset:not([disabled]) input, main .form-foot";

    /// <summary>Rules of axe whose result depends on the colours.</summary>
    public static readonly List<string> ColourRules = ["color-contrast", "link-in-text-block"];

    /// <summary>Rules of axe whose result depends on the width.</summary>
    public static readonly List<string> WidthRules =
        ["link-in-text-block", "scrollable-region-focusable", "aria-hidden-focus", "page-has-heading-one", "landmark-one-main"];

    private readonly Uri _server;
    private readonly ConcurrentQueue<string> _errors = new();

    private ConsoleTab(IPage page, Uri server)
    {
        (Page, _server) = (page, server);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                _errors.Enqueue($"{message.Text} ({message.Location})");
        };
        page.PageError += (_, error) => _errors.Enqueue(error);
    }

    public IPage Page { get; }

    /// <summary>What the browser's console has of errors and warnings.</summary>
    public IReadOnlyCollection<string> Errors => _errors;

    /// <summary>The state of the stream of events.</summary>
    public ILocator Live => Page.Locator(".side-foot .live");

    public ILocator Dialog => Page.GetByRole(AriaRole.Dialog);

    public static async Task<ConsoleTab> OpenAsync(IBrowser browser, Uri server, BrowserNewContextOptions options)
    {
        SetDefaultExpectTimeout((float)Patience.TotalMilliseconds);
        options.ReducedMotion = ReducedMotion.Reduce; // otherwise axe meets colours on their way
        options.TimezoneId ??= "UTC";
        var context = await browser.NewContextAsync(options);
        context.SetDefaultTimeout((float)Patience.TotalMilliseconds);
        return new ConsoleTab(await context.NewPageAsync(), server);
    }

    /// <summary>Opens a page, and waits until it shows what it read.</summary>
    public async Task GoAsync(string path)
    {
        await Page.GotoAsync(new Uri(_server, $"console/{path}").ToString());
        await ShownAsync();
    }

    public async Task ShownAsync()
    {
        await Expect(Page.Locator("main h1")).ToBeVisibleAsync();
        await Expect(Page.Locator(".skeleton")).ToHaveCountAsync(0);
    }

    /// <summary>Follows a link of the menu.</summary>
    public async Task FollowAsync(string name)
    {
        await Page.Locator("#menu").GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).ClickAsync();
        await Expect(Page.GetByRole(AriaRole.Heading, new() { Name = name, Level = 1 })).ToBeVisibleAsync();
    }

    public async Task SignInAsync(string key)
    {
        await Page.GotoAsync(new Uri(_server, "console/").ToString());
        await Page.GetByLabel("API key").FillAsync(key);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(Page.GetByRole(AriaRole.Heading, new() { Name = "Overview" })).ToBeVisibleAsync();
    }

    /// <summary>Presses a button, and what the dialog asks to confirm it; waits until it is done.</summary>
    /// <param name="button">Name of the button.</param>
    /// <param name="confirm">Name of the dialog's.</param>
    /// <param name="typed">The word that must be typed first.</param>
    public async Task DoAsync(string button, string confirm, string? typed = null)
    {
        await ButtonAsync(button);
        var submit = Dialog.GetByRole(AriaRole.Button, new() { Name = confirm, Exact = true });
        if (typed is not null)
        {
            await Expect(submit).ToBeDisabledAsync();
            await Dialog.GetByRole(AriaRole.Textbox).FillAsync(typed);
        }

        await submit.ClickAsync();
        await Expect(Page.Locator("dialog form")).ToHaveCountAsync(0); // it stays while the action runs, and when it fails
        await Expect(Page.Locator(".toast").Last).ToBeVisibleAsync();
    }

    /// <summary>Presses the first button of a name.</summary>
    public Task ButtonAsync(string name) => Page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true }).First.ClickAsync();

    /// <summary>The rows of a table.</summary>
    public ILocator Rows(string table) => Page.GetByRole(AriaRole.Region, new() { Name = table, Exact = true }).Locator("tbody tr");

    /// <summary>The row of a table that has a text.</summary>
    public ILocator Row(string table, string text) => Rows(table).Filter(new() { HasText = text });

    /// <summary>What axe finds fault with: in the dialog if one is open, else in the page.</summary>
    /// <param name="rules">Only what breaks these rules.</param>
    public async Task<List<string>> ViolationsAsync(List<string>? rules = null)
    {
        var dialog = await Dialog.CountAsync() > 0;
        if (!await Page.EvaluateAsync<bool>("() => 'axe' in window"))
            await Page.RunAxe(new AxeRunOptions { RunOnly = new RunOnlyOptions { Type = "rule", Values = ["document-title"] } }); // brings it
        return await Page.EvaluateAsync<List<string>>(
            """
            async ([dialog, rules]) => (await axe.run(dialog ? { include: 'dialog' } : document,
                { resultTypes: ['violations'], ...(rules && { runOnly: { type: 'rule', values: rules } }) }))
                .violations.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html).join(' | ')}`)
            """,
            new object?[] { dialog, rules?.ToArray() });
    }

    /// <summary>How far the page is wider than the window.</summary>
    public Task<int> OverflowAsync() => Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - window.innerWidth");

    public async ValueTask DisposeAsync() => await Page.Context.DisposeAsync();
}
