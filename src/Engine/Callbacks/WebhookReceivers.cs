using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Table <c>webhook_receivers</c>: which receivers answered the challenge of which owner.</summary>
public sealed class WebhookReceivers(IDbContextFactory<TaskDbContext> databases)
{
    /// <summary>What is known of a receiver; null is nothing.</summary>
    public async Task<WebhookReceiver?> FindAsync(string owner, string origin)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Set<WebhookReceiver>().AsNoTracking().SingleOrDefaultAsync(r => r.Owner == owner && r.Origin == origin);
    }

    /// <summary>Claims the right to challenge a receiver, which one process has at a time.</summary>
    /// <param name="owner">Owner of the callbacks; empty is nobody.</param>
    /// <param name="origin">The receiver.</param>
    /// <param name="now">When the challenge is sent.</param>
    /// <param name="before">Whoever challenged it later than this still has the right.</param>
    public async Task<bool> TryChallengeAsync(string owner, string origin, DateTime now, DateTime before)
    {
        await using var db = await databases.CreateDbContextAsync();
        var receivers = db.Set<WebhookReceiver>();
        var mine = receivers.Where(r => r.Owner == owner && r.Origin == origin && (r.ChallengedAt == null || r.ChallengedAt <= before));
        if (await mine.ExecuteUpdateAsync(s => s.SetProperty(r => r.ChallengedAt, now)) > 0)
            return true;
        if (await receivers.AnyAsync(r => r.Owner == owner && r.Origin == origin))
            return false;
        receivers.Add(new WebhookReceiver { Owner = owner, Origin = origin, ChallengedAt = now });
        try
        {
            await db.SaveChangesAsync();
            return true;
        }
        catch (DbUpdateException)
        {
            return false; // another process inserted it
        }
    }

    /// <summary>The receiver answered.</summary>
    public async Task VerifiedAsync(string owner, string origin, DateTime now)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Set<WebhookReceiver>().Where(r => r.Owner == owner && r.Origin == origin).ExecuteUpdateAsync(s => s.SetProperty(r => r.VerifiedAt, now));
    }
}
