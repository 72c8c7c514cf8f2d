using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace TaskQueue.Api.Hosting;

/// <summary>Section <c>TaskQueue:Cors</c>: pages of other origins that may call the server from a browser, with a key.</summary>
internal sealed class CorsSettings : IValidatableObject
{
    public const string Section = "TaskQueue:Cors";

    /// <summary>Origins such as <c>https://app.example.com</c>; <c>*</c> is any. Cookies are never accepted from another origin.</summary>
    /// <value>None: browsers refuse the answers to pages of other origins.</value>
    public IList<string> Origins { get; } = [];

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Origins.Where(o => !IsOrigin(o)).Select(o =>
            new ValidationResult($"{Section}:Origins must be * or origins such as https://app.example.com, without a path; {o} is not"));

    private static bool IsOrigin(string text) =>
        text == "*" || (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri.GetLeftPart(UriPartial.Authority).Equals(text, StringComparison.OrdinalIgnoreCase));
}

internal static class ConfiguredCors
{
    /// <summary>Headers of answers that scripts of other origins may read.</summary>
    private static readonly string[] Exposed =
        ["Retry-After", "Location", "X-TaskQueue-Warning", "Content-Disposition", "Content-Range", "Accept-Ranges"];

    private static readonly TimeSpan Remembered = TimeSpan.FromHours(1);

    /// <summary>Answers browsers that ask whether a page of another origin may call; nothing is added if none may.</summary>
    public static void UseConfiguredCors(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<CorsSettings>>().Value.Origins is not { Count: > 0 } origins)
            return;
        app.UseCors(policy => policy.WithOrigins([.. origins]).AllowAnyHeader().AllowAnyMethod().WithExposedHeaders(Exposed)
            .SetPreflightMaxAge(Remembered));
    }
}
