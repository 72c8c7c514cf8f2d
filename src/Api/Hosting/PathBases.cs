using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary><c>TaskQueue:PathBase</c>: the path under which a proxy shows this server, such as <c>/queue</c>.</summary>
internal static class PathBases
{
    private const string Key = "TaskQueue:PathBase";

    /// <summary>Serves paths with and without the path base: some proxies remove it, others do not.</summary>
    /// <exception cref="StartupException">It is not a path.</exception>
    public static void UseConfiguredPathBase(this WebApplication app)
    {
        if (app.Configuration[Key] is not { Length: > 0 } text)
            return;
        if (!text.StartsWith('/') || text.EndsWith('/') || text.Contains("//", StringComparison.Ordinal)
            || !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.' or '~'))
            throw new StartupException($"{Key} is '{text}'; it must be a path such as /queue, without a slash at its end.");
        app.UsePathBase(text);
        app.Use((context, next) =>
        {
            if (!context.Request.PathBase.HasValue)
                context.Request.PathBase = text;
            return next(context);
        });
    }
}
