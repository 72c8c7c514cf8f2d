using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed partial class CronScheduleTests
{
    [Theory]
    [InlineData("UTC", "2026-01-01T12:00:00")]
    [InlineData("Etc/UTC", "2026-01-01T12:00:00")]
    [InlineData("America/Los_Angeles", "2026-01-01T20:00:00")]
    [InlineData("US/Pacific", "2026-01-01T20:00:00")]
    [InlineData("Etc/GMT+5", "2026-01-01T17:00:00")]
    [InlineData("Asia/Kathmandu", "2026-01-01T06:15:00")]
    [InlineData("Pacific/Kiritimati", "2026-01-01T22:00:00")] // noon on 2 January: UTC+14
    [InlineData("America/Argentina/Buenos_Aires", "2026-01-01T15:00:00")]
    public void Noon_is_local_noon_in_every_zone(string timeZone, string expected) =>
        Ticks("0 12 * * *", "2026-01-01T00:00:00", expected, timeZone);

    [Theory]
    // America/New_York: 2026-03-08 02:00 EST becomes 03:00 EDT, at 07:00Z.
    [InlineData("America/New_York", "30 2 * * *", "2026-03-07T12:00:00", "2026-03-08T07:00:00 2026-03-09T06:30:00")]
    [InlineData("America/New_York", "*/15 2 * * *", "2026-03-07T12:00:00", "2026-03-08T07:00:00 2026-03-09T06:00:00 2026-03-09T06:15:00")]
    [InlineData("America/New_York", "30 2,3 * * *", "2026-03-07T12:00:00", "2026-03-08T07:00:00 2026-03-08T07:30:00 2026-03-09T06:30:00")]
    [InlineData("America/New_York", "0 2,3 * * *", "2026-03-07T12:00:00", "2026-03-08T07:00:00 2026-03-09T06:00:00 2026-03-09T07:00:00")]
    [InlineData("America/New_York", "30 2 8 3 *", "2026-01-01T00:00:00", "2026-03-08T07:00:00 2027-03-08T07:30:00")]
    [InlineData("America/New_York", "* * 2 * * *", "2026-03-08T06:59:59.5", "2026-03-08T07:00:00 2026-03-09T06:00:00")]
    [InlineData("America/New_York", "59 1 * * *", "2026-03-07T12:00:00", "2026-03-08T06:59:00 2026-03-09T05:59:00")]
    [InlineData("America/New_York", "0 3 * * *", "2026-03-07T12:00:00", "2026-03-08T07:00:00 2026-03-09T07:00:00")]
    // Australia/Lord_Howe: 2026-10-04 02:00 becomes 02:30, at 2026-10-03 15:30Z.
    [InlineData("Australia/Lord_Howe", "15 2 * * *", "2026-10-02T20:00:00", "2026-10-03T15:30:00 2026-10-04T15:15:00")]
    [InlineData("Australia/Lord_Howe", "*/10 2 * * *", "2026-10-02T20:00:00",
        "2026-10-03T15:30:00 2026-10-03T15:40:00 2026-10-03T15:50:00 2026-10-04T15:00:00")]
    // Pacific/Apia has no 2011-12-30: the 31st starts at 2011-12-30 10:00Z.
    [InlineData("Pacific/Apia", "0 12 * * *", "2011-12-29T00:00:00", "2011-12-29T22:00:00 2011-12-30T10:00:00 2011-12-30T22:00:00")]
    [InlineData("Pacific/Apia", "0 */6 * * *", "2011-12-30T03:00:00", "2011-12-30T04:00:00 2011-12-30T10:00:00 2011-12-30T16:00:00")]
    [InlineData("Pacific/Apia", "0 12 30 12 *", "2011-01-01T00:00:00", "2011-12-30T10:00:00 2012-12-29T22:00:00")]
    // Midnight is skipped.
    [InlineData("America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00:00", "2018-11-04T03:00:00 2018-11-05T02:00:00")]
    [InlineData("America/Sao_Paulo", "@daily", "2018-11-04T03:00:00", "2018-11-05T02:00:00")]
    [InlineData("America/Sao_Paulo", "0 0,1 4 11 *", "2018-11-03T12:00:00", "2018-11-04T03:00:00 2019-11-04T03:00:00")]
    [InlineData("Asia/Beirut", "0 0 * * *", "2026-03-28T12:00:00", "2026-03-28T22:00:00 2026-03-29T21:00:00")]
    // The standard time itself changes: 2018-05-05 in Pyongyang, 23:30 of the 4th becomes midnight.
    [InlineData("Asia/Pyongyang", "45 23 * * *", "2018-05-03T20:00:00", "2018-05-04T15:00:00 2018-05-05T14:45:00")]
    public void Skipped_ticks_fire_once_after_the_gap(string timeZone, string cron, string after, string expected) =>
        Ticks(cron, after, expected, timeZone);

    [Theory]
    // America/New_York: 2026-11-01 02:00 EDT becomes 01:00 EST, at 06:00Z.
    [InlineData("America/New_York", "30 1 * * *", "2026-10-31T12:00:00", "2026-11-01T05:30:00 2026-11-02T06:30:00")]
    [InlineData("America/New_York", "30 1 * * *", "2026-11-01T06:10:00", "2026-11-02T06:30:00")]
    [InlineData("America/New_York", "0,30 0-2 * * *", "2026-11-01T04:30:00",
        "2026-11-01T05:00:00 2026-11-01T05:30:00 2026-11-01T07:00:00 2026-11-01T07:30:00 2026-11-02T05:00:00")]
    [InlineData("America/New_York", "* * 1 * * *", "2026-11-01T05:59:58", "2026-11-01T05:59:59 2026-11-02T06:00:00")]
    [InlineData("America/New_York", "0 2 * * *", "2026-11-01T05:00:00", "2026-11-01T07:00:00")]
    // Australia/Lord_Howe: 2026-04-05 02:00 becomes 01:30, at 2026-04-04 15:00Z.
    [InlineData("Australia/Lord_Howe", "45 1 * * *", "2026-04-03T20:00:00", "2026-04-04T14:45:00 2026-04-05T15:15:00")]
    [InlineData("Australia/Lord_Howe", "*/15 1-2 * * *", "2026-04-04T14:30:00",
        "2026-04-04T14:45:00 2026-04-04T15:30:00 2026-04-04T15:45:00")]
    // Midnight comes twice: 2018-02-18 00:00 becomes 23:00 of the 17th, at 02:00Z.
    [InlineData("America/Sao_Paulo", "30 23 * * *", "2018-02-17T12:00:00", "2018-02-18T01:30:00 2018-02-19T02:30:00")]
    [InlineData("America/Sao_Paulo", "0 0 * * *", "2018-02-17T12:00:00", "2018-02-18T03:00:00 2018-02-19T03:00:00")]
    [InlineData("Asia/Beirut", "0 0 25 10 *", "2026-10-24T12:00:00", "2026-10-24T22:00:00")]
    [InlineData("Europe/Dublin", "30 1 * * *", "2026-10-24T12:00:00", "2026-10-25T00:30:00 2026-10-26T01:30:00")]
    public void Repeated_ticks_fire_once_in_the_first_pass(string timeZone, string cron, string after, string expected) =>
        Ticks(cron, after, expected, timeZone);

    [Theory]
    [InlineData("America/New_York", "30 * * * *", "2026-11-01T05:00:00", "2026-11-01T05:30:00 2026-11-01T06:30:00 2026-11-01T07:30:00")]
    [InlineData("America/New_York", "30 */1 * * *", "2026-11-01T05:30:00", "2026-11-01T06:30:00 2026-11-01T07:30:00")]
    [InlineData("America/New_York", "30 0-23 1 11 *", "2026-11-01T05:45:00", "2026-11-01T06:30:00 2026-11-01T07:30:00")]
    [InlineData("America/New_York", "* * * * * *", "2026-11-01T05:59:58.5", "2026-11-01T05:59:59 2026-11-01T06:00:00 2026-11-01T06:00:01")]
    [InlineData("America/New_York", "0 * * * *", "2026-11-01T04:30:00", "2026-11-01T05:00:00 2026-11-01T06:00:00 2026-11-01T07:00:00")]
    [InlineData("America/New_York", "30 * * * *", "2026-03-08T06:00:00", "2026-03-08T06:30:00 2026-03-08T07:30:00 2026-03-08T08:30:00")]
    [InlineData("America/New_York", "* * * * * *", "2026-03-08T06:59:58", "2026-03-08T06:59:59 2026-03-08T07:00:00")]
    [InlineData("Australia/Lord_Howe", "*/15 * * * *", "2026-04-04T14:30:00",
        "2026-04-04T14:45:00 2026-04-04T15:00:00 2026-04-04T15:15:00 2026-04-04T15:30:00")]
    [InlineData("Australia/Lord_Howe", "0 * * * *", "2026-04-04T13:30:00", "2026-04-04T14:00:00 2026-04-04T15:30:00")]
    [InlineData("Australia/Lord_Howe", "0 * * * *", "2026-10-03T14:00:00", "2026-10-03T14:30:00 2026-10-03T16:00:00")]
    [InlineData("Pacific/Apia", "0 * * * *", "2011-12-30T08:30:00", "2011-12-30T09:00:00 2011-12-30T10:00:00 2011-12-30T11:00:00")]
    [InlineData("Pacific/Apia", "0 * 30 12 *", "2011-01-01T00:00:00", "2012-12-29T10:00:00 2012-12-29T11:00:00")]
    [InlineData("America/Sao_Paulo", "0 * * * *", "2018-11-04T02:00:00", "2018-11-04T03:00:00 2018-11-04T04:00:00")]
    [InlineData("America/Sao_Paulo", "30 * 17 2 *", "2018-02-18T01:00:00", "2018-02-18T01:30:00 2018-02-18T02:30:00 2019-02-17T03:30:00")]
    [InlineData("Asia/Beirut", "30 * * * *", "2026-10-24T20:00:00", "2026-10-24T20:30:00 2026-10-24T21:30:00 2026-10-24T22:30:00")]
    [InlineData("Asia/Beirut", "30 * * * *", "2026-03-28T21:00:00", "2026-03-28T21:30:00 2026-03-28T22:30:00")]
    public void An_hourly_schedule_follows_elapsed_time(string timeZone, string cron, string after, string expected) =>
        Ticks(cron, after, expected, timeZone);
}
